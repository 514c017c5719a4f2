import type { Readable } from 'node:stream';
import type { Head } from './head.ts';
import type { Unread } from './options.ts';

/** The bytes before a message in gRPC: a byte of flags, four of length. */
export const ENVELOPE_BYTES = 5;

/** Who waits for a body. */
export interface Reader {
  /** The body is as its head and envelope say; this is the message. What is returned says whether it can be used. */
  onMessage(message: Uint8Array): boolean;
  /** The body is another one, or cannot be used: the stock adapter is to read it from its first byte. */
  onHandOver(unread: Unread): void;
}

/**
 * Reads one message, and gives up as soon as the body is anything else.
 *
 * @returns a function that ends it before its time
 */
export function readMessage(source: Readable, head: Head, readMaxBytes: number, reader: Reader): () => void {
  const isGrpc = head.format.protocol === 'grpc';
  const chunks: Buffer[] = [];
  let size = 0;
  /** What the body must be in the end; undefined until it is known. */
  let expected = isGrpc ? undefined : head.length;

  const stop = () => {
    source.off('data', onData);
    source.off('end', onEnd);
  };
  const handOver = (ended: boolean) => {
    stop();
    if (!ended) source.pause();
    reader.onHandOver({ body: replay(chunks, ended ? undefined : source), source });
  };
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (isGrpc && expected === undefined && size >= ENVELOPE_BYTES) {
      const start = chunk === chunks[0] ? chunk : Buffer.concat(chunks);
      // Flags: a compressed message, or none that there should be.
      if (start.readUInt8(0) !== 0) return handOver(false);
      const length = start.readUInt32BE(1);
      if (length > readMaxBytes) return handOver(false);
      expected = ENVELOPE_BYTES + length;
    }
    if (size > (expected ?? readMaxBytes)) handOver(false);
  };
  const onEnd = () => {
    // Node may keep the stream for longer than its call, which must not be kept with it.
    stop();
    if (isGrpc ? size !== expected : expected !== undefined && size !== expected) return handOver(true);
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    if (!reader.onMessage(isGrpc ? body.subarray(ENVELOPE_BYTES) : body)) handOver(true);
  };
  source.on('data', onData);
  source.on('end', onEnd);
  return stop;
}

async function* replay(chunks: readonly Buffer[], rest: Readable | undefined): AsyncGenerator<Uint8Array> {
  yield* chunks;
  // Whoever stops to read must not destroy the request: on HTTP/1.1 the connection would never read again.
  if (rest !== undefined) yield* rest.iterator({ destroyOnReturn: false });
}
