// node connect-es.mjs [url]. Elsewhere: npm install @connectrpc/connect @connectrpc/connect-node @bufbuild/protobuf and
// the service's package, whose own client (docs/clients.md) adds deadline and retries to this.
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import {
  ElementType,
  SequenceService,
} from '@fountain/sequence-service/proto/fountain/sequence/v1/sequence_pb.js';

const baseUrl = process.argv[2] ?? 'http://localhost:8080';
const client = createClient(SequenceService, createConnectTransport({ baseUrl, httpVersion: '1.1' }));

const sequence = { scope: 'connect-es', elementType: ElementType.SCRIPT };
const { size } = await client.getSequence(sequence, { timeoutMs: 10_000 });
const requestId = crypto.randomUUID(); // the same on a repetition, which then changes nothing
const made = await client.generate(
  { ...sequence, elementId: BigInt(size + 1), requestId },
  { timeoutMs: 10_000 },
);
console.log(`element ${made.element.elementId} has number ${made.sequenceNumber}`);
