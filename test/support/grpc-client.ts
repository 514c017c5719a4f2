import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { onTestFinished } from 'vitest';
import { detailsOfStatus, type ErrorDetails } from './error-details.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const loaded = loadSync('fountain/sequence/v1/sequence.proto', {
  includeDirs: [`${ROOT}proto`, `${ROOT}node_modules/google-gax/build/protos`],
  longs: String,
  enums: String,
  defaults: true,
});
const { SequenceService } = (
  grpc.loadPackageDefinition(loaded) as unknown as {
    fountain: { sequence: { v1: { SequenceService: grpc.ServiceClientConstructor } } };
  }
).fountain.sequence.v1;

/** A message as proto-loader decodes it. */
export type Answer = Readonly<Record<string, unknown>>;
type Unary = (request: object, options?: grpc.CallOptions) => Promise<Answer>;

const METHODS = [
  'generate',
  'batchGenerate',
  'reorder',
  'move',
  'createVersion',
  'remove',
  'getElement',
  'getVersion',
  'listElements',
  'listVersions',
  'getSequence',
] as const;

export type GrpcMethod = (typeof METHODS)[number];

/** A client of SequenceService that shares no code with the server: grpc-js, from the .proto file itself. */
export type GrpcClient = Readonly<Record<GrpcMethod, Unary>>;

/** What grpc-js rejects with, and the details that it leaves to the caller to decode. */
export function detailsOf(error: grpc.ServiceError): ErrorDetails {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  return detailsOfStatus(bytes ?? '');
}

/** Makes a client, which closes when the test has finished. */
export function grpcClient(url: string, options: grpc.ClientOptions = {}): GrpcClient {
  const stub = new SequenceService(new URL(url).host, grpc.credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    ...options,
  }) as unknown as grpc.Client & Record<GrpcMethod, (...args: unknown[]) => grpc.ClientUnaryCall>;
  onTestFinished(() => stub.close());
  const methods = METHODS.map((method): [GrpcMethod, Unary] => [
    method,
    (request, callOptions = { deadline: Date.now() + 10_000 }) =>
      new Promise((resolve, reject) => {
        stub[method](request, callOptions, (error: grpc.ServiceError | null, answer: Answer) =>
          error ? reject(error) : resolve(answer),
        );
      }),
  ]);
  return Object.fromEntries(methods) as unknown as GrpcClient;
}
