import type { Interceptor, Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { type CallingOptions, createSequenceClientOver, type SequenceClient } from './over-transport.ts';

/** Whom to trust, and what to show; PEM. */
export interface TlsOptions {
  /** Authorities to trust, in the place of Node's own. */
  readonly ca?: string | string[];
  /** The client's certificate, with `key`, where the service asks for one. */
  readonly cert?: string;
  readonly key?: string;
}

/** How to reach the service, and how to call it. */
export interface SequenceClientOptions extends CallingOptions {
  /** Where the service is: `http://localhost:8080`, `https://sequence.example.org`. */
  readonly url: string;
  /** For `https:`. */
  readonly tls?: TlsOptions;
  /**
   * `connect` when left out. It and `grpc-web` speak HTTP/1.1, which passes every proxy; `grpc` speaks HTTP/2,
   * many calls on one connection.
   */
  readonly protocol?: 'connect' | 'grpc' | 'grpc-web';
  /** Connect's interceptors, run on each attempt; the last one is the nearest to the caller. */
  readonly interceptors?: Interceptor[];
}

/**
 * Makes a client of SequenceService.
 *
 * @see createSequenceClientOver for what it repeats
 * @example
 * const client = createSequenceClient({ url: 'http://localhost:8080' });
 * await client.generate({ scope: 'play', elementType: ElementType.SCRIPT, elementId: 7n });
 */
export function createSequenceClient(options: SequenceClientOptions): SequenceClient {
  return createSequenceClientOver(transportTo(options), options);
}

function transportTo({
  url,
  protocol = 'connect',
  interceptors = [],
  tls,
}: SequenceClientOptions): Transport {
  const common = { baseUrl: url, interceptors, ...(tls !== undefined && { nodeOptions: { ...tls } }) };
  switch (protocol) {
    case 'connect':
      return createConnectTransport({ ...common, httpVersion: '1.1', useBinaryFormat: true });
    case 'grpc':
      return createGrpcTransport(common);
    case 'grpc-web':
      return createGrpcWebTransport({ ...common, httpVersion: '1.1' });
    default:
      throw new TypeError(`unknown protocol "${String(protocol)}": use connect, grpc or grpc-web`);
  }
}
