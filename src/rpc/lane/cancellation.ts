import { Code, ConnectError } from '@connectrpc/connect';

const NONE: (() => void)[] = [];

/** What a signal is aborted with once its call has been answered. One for all: to make one captures a stack. */
const ANSWERED = new DOMException('This operation was aborted', 'AbortError');
/** What a signal is aborted with when its client goes away. */
const GONE = new ConnectError('the client went away', Code.Canceled);

/**
 * Tells that a call is over: its caller has gone, its time has passed, or it has been answered. It has what is mostly asked
 * of an AbortSignal; the signal itself, slow to make and to listen to, is made for who asks for it.
 */
export class Cancellation {
  readonly #endsAt: number;
  #reason: unknown;
  #listeners: (() => void)[] = NONE;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param endsAt when the call's time is over, milliseconds since the epoch */
  constructor(endsAt: number) {
    this.#endsAt = endsAt;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.#reason);
      else this.#watch();
    }
    return this.#controller.signal;
  }

  get aborted(): boolean {
    if (this.#reason === undefined && this.#endsAt <= Date.now()) this.#expire();
    return this.#reason !== undefined;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.#reason;
  }

  /** As of an AbortSignal: one that comes too late is not called, none is called twice. */
  addEventListener(_type: 'abort', listener: () => void, _options: { once: true }): void {
    if (this.#reason !== undefined || this.#listeners.includes(listener)) return;
    this.#listeners = [...this.#listeners, listener];
    this.#watch();
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners = this.#listeners.filter((one) => one !== listener);
  }

  /** The client has gone. */
  leave(): void {
    this.#abort(GONE);
  }

  /** The call has been answered. */
  end(): void {
    this.#abort(ANSWERED);
  }

  #watch(): void {
    this.#timer ??= setTimeout(() => this.#expire(), Math.max(0, this.#endsAt - Date.now()));
  }

  #expire(): void {
    this.#abort(new ConnectError('the operation timed out', Code.DeadlineExceeded));
  }

  #abort(reason: unknown): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#controller?.abort(reason);
    const listeners = this.#listeners;
    this.#listeners = NONE;
    for (const listener of listeners) listener();
  }
}
