/** Calls that begin within this share of the bound of each other share a signal: one timer, and no listener a call. */
const SLOT_SHARE = 16;

/**
 * Signals that end calls: each after `timeoutMs` at most and fifteen sixteenths of it at least, and all of them when
 * {@link cutOff} is called. They spare each call a timer and a composite signal of its own.
 */
export class CallBounds {
  readonly #timeoutMs: number;
  readonly #slots = new Set<AbortController>();
  #current: { readonly controller: AbortController; readonly until: number } | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** A signal for a call that begins now, and is over at `end` (on the clock of `performance.now()`) at the latest. */
  signal(end: number): AbortSignal {
    const now = performance.now();
    if (end < now + this.#timeoutMs) return this.#open(Math.max(0, end - now)).signal;
    if (this.#current === undefined || now >= this.#current.until) {
      const controller = this.#open(this.#timeoutMs);
      this.#current = { controller, until: now + this.#timeoutMs / SLOT_SHARE };
    }
    return this.#current.controller.signal;
  }

  /** Ends every call that runs, and leaves no timer behind. */
  cutOff(): void {
    for (const controller of this.#slots) controller.abort();
    this.#current = undefined;
  }

  #open(ms: number): AbortController {
    const controller = new AbortController();
    this.#slots.add(controller);
    const end = () => {
      clearTimeout(timer);
      this.#slots.delete(controller);
    };
    const timer = setTimeout(() => controller.abort(), ms);
    controller.signal.addEventListener('abort', end, { once: true });
    return controller;
  }
}
