import { ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.js';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.js';
import { codeName } from '../../src/rpc/interceptors.ts';

/** The protocols of a stream. */
export const STREAMS = ['connect', 'grpc', 'grpc-web'] as const;
export type StreamWire = (typeof STREAMS)[number];

/** A stream's transport, always over HTTP/2; `nodeOptions` hold what TLS needs. */
export const TRANSPORTS: Readonly<Record<StreamWire, (baseUrl: string, nodeOptions?: object) => Transport>> =
  {
    connect: (baseUrl, nodeOptions = {}) =>
      createConnectTransport({ baseUrl, httpVersion: '2', nodeOptions }),
    grpc: (baseUrl, nodeOptions = {}) => createGrpcTransport({ baseUrl, nodeOptions }),
    'grpc-web': (baseUrl, nodeOptions = {}) =>
      createGrpcWebTransport({ baseUrl, httpVersion: '2', nodeOptions }),
  };

/** How a stream ended, and what came before that. */
export interface StreamReply {
  /** As gRPC spells it, `OK` included. */
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
  /** How many answers were to something that reflection knows, and how many to something that it does not. */
  readonly found: number;
  readonly unknown: number;
}

/**
 * Asks reflection, the streaming method that asks who calls (where PUBLIC_DIAGNOSTICS is off). Calls of one transport
 * share a connection.
 *
 * @param symbols what is asked for, one message each; without any, the list of services is
 */
export async function reflect(
  transport: Transport,
  headers: Readonly<Record<string, string>> = {},
  symbols: readonly string[] = [],
): Promise<StreamReply> {
  async function* ask() {
    if (symbols.length === 0) yield { messageRequest: { case: 'listServices', value: '' } } as const;
    for (const value of symbols) yield { messageRequest: { case: 'fileContainingSymbol', value } } as const;
  }
  const count = { found: 0, unknown: 0 };
  try {
    for await (const { messageResponse } of createClient(ServerReflection, transport).serverReflectionInfo(
      ask(),
      { headers },
    ))
      count[messageResponse.case === 'errorResponse' ? 'unknown' : 'found'] += 1;
    return { code: 'OK', message: '', reason: undefined, ...count };
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    const [info] = error.findDetails(ErrorInfoSchema);
    return { code: codeName(error.code), message: error.message, reason: info?.reason, ...count };
  }
}
