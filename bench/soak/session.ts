import { Agent } from 'node:http';
import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from '@connectrpc/connect-node';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.js';

/** What a client speaks. */
export const PROTOCOLS = ['connect', 'grpc', 'grpc-web'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** A call's answer as JSON, or the reason why there is none. */
export type Said = { readonly body: Record<string, unknown> } | { readonly refused: string };

const CALL_TIMEOUT_MS = 10_000;

/** A client with connections of its own, which end with it. */
export class Session {
  readonly #transport: Transport;
  readonly #close: () => void;

  constructor(url: string, protocol: Protocol) {
    if (protocol === 'grpc') {
      const sessionManager = new Http2SessionManager(url);
      this.#transport = createGrpcTransport({ baseUrl: url, sessionManager });
      this.#close = () => sessionManager.abort();
      return;
    }
    const agent = new Agent({ keepAlive: true });
    const options = { baseUrl: url, httpVersion: '1.1', nodeOptions: { agent } } as const;
    this.#transport =
      protocol === 'connect' ? createConnectTransport(options) : createGrpcWebTransport(options);
    this.#close = () => agent.destroy();
  }

  /** Calls a method of SequenceService; requests and answers are in Protobuf's JSON, whatever is spoken. */
  async call(method: string, body: object): Promise<Said> {
    const name = (method[0]!.toLowerCase() + method.slice(1)) as keyof typeof SequenceService.method;
    const { input, output } = SequenceService.method[name];
    const client = createClient(SequenceService, this.#transport);
    const action = client[name] as (request: unknown, options: object) => Promise<never>;
    try {
      const answer = await action(fromJson(input, body as JsonValue), { timeoutMs: CALL_TIMEOUT_MS });
      return { body: toJson(output, answer) as Record<string, unknown> };
    } catch (error) {
      const failure = ConnectError.from(error);
      const [info] = failure.findDetails(ErrorInfoSchema);
      return { refused: info?.reason ?? Code[failure.code] };
    }
  }

  /** Ends its connections, whatever runs on them. */
  close(): void {
    this.#close();
  }
}
