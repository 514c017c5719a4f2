/** A wait that can be cut short. A wake-up that comes while nobody waits is kept for the next who does. */
export class Wakeable {
  #woken = false;
  readonly #waiting = new Set<() => void>();

  /** Ends every wait. */
  wake(): void {
    this.#woken = this.#waiting.size === 0;
    for (const end of this.#waiting) end();
  }

  /** Resolves after a time, at a wake-up, or when the signal is aborted; leaves nothing behind. Never rejects. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#woken || signal.aborted) {
      this.#woken = false;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#waiting.add(resolve);
    const abort = () => resolve();
    signal.addEventListener('abort', abort, { once: true });
    await promise;
    signal.removeEventListener('abort', abort);
    clearTimeout(timer);
    this.#waiting.delete(resolve);
  }
}
