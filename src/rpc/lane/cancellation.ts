import { Code, ConnectError } from '@connectrpc/connect';

/** What a signal is aborted with once its call has been answered. One for all: to make one captures a stack. */
const ANSWERED = new DOMException('This operation was aborted', 'AbortError');
/** What a signal is aborted with when its client goes away. */
const GONE = new ConnectError('the client went away', Code.Canceled);

/** The signal of a call, which is made, with its timer, when somebody asks for it. */
export class Cancellation {
  readonly #endsAt: number;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reason: unknown;

  /** @param endsAt when the call's time is over, milliseconds since the epoch */
  constructor(endsAt: number) {
    this.#endsAt = endsAt;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      const left = this.#endsAt - Date.now();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
      else if (left <= 0) this.#expire();
      else this.#timer = setTimeout(() => this.#expire(), left);
    }
    return this.#controller.signal;
  }

  /** The client has gone. */
  leave(): void {
    this.#abort(GONE);
  }

  /** The call has been answered. */
  end(): void {
    this.#abort(ANSWERED);
  }

  #expire(): void {
    this.#abort(new ConnectError('the operation timed out', Code.DeadlineExceeded));
  }

  #abort(reason: unknown): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#controller?.abort(reason);
  }
}
