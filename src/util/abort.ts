/** The part of an AbortSignal that is asked for here; a call need not make more. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void, options: { once: true }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Settles as `promise` does, or rejects with the signal's reason where that is aborted first. Leaves no listener. */
export async function untilAborted<T>(promise: Promise<T>, signal: Signal): Promise<T> {
  // A rejection that comes after the abort has no one left to hear it.
  promise.catch(() => {});
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
