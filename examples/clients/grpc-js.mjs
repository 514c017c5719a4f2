// node grpc-js.mjs [host:port]. Elsewhere: npm install @grpc/grpc-js @grpc/proto-loader; `proto` names the contract.
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const proto = new URL('../../proto/fountain/sequence/v1/sequence.proto', import.meta.url).pathname;
const definition = loadSync(proto, { defaults: true });
const { SequenceService } = grpc.loadPackageDefinition(definition).fountain.sequence.v1;
const client = new SequenceService(process.argv[2] ?? 'localhost:8080', grpc.credentials.createInsecure());
const call = (method, request) =>
  new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 10_000 };
    client[method](request, options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });

const sequence = { scope: 'grpc-js', elementType: 'ELEMENT_TYPE_SCRIPT' };
const { size } = await call('GetSequence', sequence);
const requestId = crypto.randomUUID(); // the same on a repetition, which then changes nothing
const made = await call('Generate', { ...sequence, elementId: size + 1, comment: 'first draft', requestId });
console.log(`element ${made.element.elementId} has number ${made.sequenceNumber}`);
client.close();
