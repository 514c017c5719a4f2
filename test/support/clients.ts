import { type Client, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';

/** Every way that a Connect-ES client can speak to the one port. */
export const PROTOCOLS = {
  'connect-json-h1': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  'connect-json-h2': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2' }),
  'connect-binary-h1': (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: true }),
  grpc: (baseUrl) => createGrpcTransport({ baseUrl }),
  'grpc-web-h1': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  'grpc-web-h2': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' }),
} as const satisfies Record<string, (baseUrl: string) => Transport>;

/** One of {@link PROTOCOLS}. */
export type Protocol = keyof typeof PROTOCOLS;

/** A client of SequenceService. */
export type SequenceClient = Client<typeof SequenceService>;

/** Makes a client that speaks a protocol. */
export function sequenceClient(url: string, protocol: Protocol = 'connect-json-h1'): SequenceClient {
  return createClient(SequenceService, PROTOCOLS[protocol](url));
}
