import { setTimeout as sleep } from 'node:timers/promises';

/** Polls until `condition` gives something; rejects with `what` after `limitMs`. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  limitMs = 10_000,
): Promise<T> {
  const limit = performance.now() + limitMs;
  for (;;) {
    const found = await condition();
    if (found !== undefined && found !== false && found !== null) return found;
    if (performance.now() > limit) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(5);
  }
}
