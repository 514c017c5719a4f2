import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const loaded = loadSync('health/v1/health.proto', {
  includeDirs: ['node_modules/grpc-health-check/proto'],
  enums: String,
  defaults: true,
});
const { Health } = (
  grpc.loadPackageDefinition(loaded) as unknown as {
    grpc: { health: { v1: { Health: grpc.ServiceClientConstructor } } };
  }
).grpc.health.v1;

type Unary = (request: object, callback: (error: grpc.ServiceError | null, answer: unknown) => void) => void;
type Stub = grpc.Client & {
  check: Unary;
  list: Unary;
  watch(request: object): grpc.ClientReadableStream<{ status: string }>;
};

/** A client of grpc.health.v1.Health that shares no code with the server: grpc-js, from the published .proto file. */
export class GrpcHealthClient {
  readonly #stub: Stub;

  constructor(port: number) {
    this.#stub = new Health(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      // Else two clients of one address share a connection, and a test that cuts one would cut both.
      'grpc.use_local_subchannel_pool': 1,
    }) as unknown as Stub;
  }

  check(service?: string): Promise<{ status: string }> {
    return this.#unary('check', service === undefined ? {} : { service });
  }

  list(): Promise<{ statuses: Record<string, { status: string }> }> {
    return this.#unary('list', {});
  }

  watch(service: string): WatchCall {
    return new WatchCall(this.#stub.watch({ service }));
  }

  close(): void {
    this.#stub.close();
  }

  #unary<T>(method: 'check' | 'list', request: object): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#stub[method](request, (error, answer) => (error ? reject(error) : resolve(answer as T)));
    });
  }
}

/** An open Watch: what it has been told so far, and how it ended. */
export class WatchCall {
  readonly told: string[] = [];
  readonly ended: Promise<grpc.StatusObject>;
  readonly #call: grpc.ClientReadableStream<{ status: string }>;

  constructor(call: grpc.ClientReadableStream<{ status: string }>) {
    this.#call = call;
    call.on('data', (message: { status: string }) => this.told.push(message.status));
    call.on('error', () => {});
    this.ended = new Promise((resolve) => call.on('status', resolve));
  }

  cancel(): void {
    this.#call.cancel();
  }
}
