// As grpc-js.mjs, for a service that asks who calls: [TOKEN=…] [CA=ca.pem [CERT=… KEY=…]] node grpc-js-secure.mjs [host:port]
import { readFileSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const proto = new URL('../../proto/fountain/sequence/v1/sequence.proto', import.meta.url).pathname;
const definition = loadSync(proto, { defaults: true });
const { SequenceService } = grpc.loadPackageDefinition(definition).fountain.sequence.v1;
const { TOKEN, CA, CERT, KEY } = process.env;
const pem = (file) => (file === undefined ? null : readFileSync(file));
const credentials =
  CA === undefined
    ? grpc.credentials.createInsecure()
    : grpc.credentials.createSsl(pem(CA), pem(KEY), pem(CERT));
const client = new SequenceService(process.argv[2] ?? 'localhost:8080', credentials);
const metadata = new grpc.Metadata();
if (TOKEN !== undefined) metadata.set('authorization', `Bearer ${TOKEN}`);

const sequence = { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' };
client.GetSequence(sequence, metadata, { deadline: Date.now() + 10_000 }, (error, answer) => {
  console.log(
    error
      ? `${grpc.status[error.code]}: ${error.details}`
      : `nextSequenceNumber ${answer.nextSequenceNumber}`,
  );
  client.close();
});
