import type { IncomingMessage } from 'node:http';
import { Http2ServerRequest, type ServerHttp2Stream } from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import type { InFlightLimit } from './in-flight-limit.ts';

/** A call that was let in, and holds a place. */
export class HeldCall {
  /** What its message is read from. */
  readonly source: Readable;
  readonly #message: IncomingMessage | Readable;
  readonly #limit: InFlightLimit;
  readonly #answer: Writable;
  #left = false;

  constructor(limit: InFlightLimit, message: IncomingMessage | Readable, answer: Writable) {
    this.source = sourceOf(message);
    this.#limit = limit;
    this.#message = message;
    this.#answer = answer;
  }

  /** Whether its answer is on its way, as far as this end goes. */
  get isAnswered(): boolean {
    return this.#answer.writableEnded;
  }

  /** Whether its message has come, if only to here. */
  get hasMessage(): boolean {
    const message = this.#message;
    return 'complete' in message ? message.complete : message.readableEnded || message.destroyed;
  }

  /** It has ended, or is not to count any longer. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#limit.leave();
  }

  /** It is to be refused after all. */
  giveBack(): void {
    if (this.#left) return;
    this.#left = true;
    this.#limit.giveBack();
  }
}

/** What a message is read from: of HTTP/2 the stream, whether it has been wrapped or not. */
export function sourceOf(message: Readable): Readable {
  if (!(message instanceof Http2ServerRequest)) return message;
  // Node lets go of the stream when that has closed.
  const stream: ServerHttp2Stream | undefined = message.stream;
  return stream ?? message;
}
