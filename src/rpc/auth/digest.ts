import { hash, timingSafeEqual } from 'node:crypto';
import type { Caller } from './caller.ts';

/** The SHA-256 of a token, hexadecimal. */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'hex');
}

const PREFIX = 4;
/** What is compared with where there is nothing, so that it takes as long. */
const NOTHING = Buffer.alloc(32);

/**
 * Callers by the digests of their tokens. What a look-up compares depends on the first two bytes of the digest that was
 * brought, which nobody can choose; whole digests are compared in a time that does not tell where they differ.
 */
export class TokenIndex {
  readonly #byPrefix: ReadonlyMap<string, readonly { digest: Buffer; caller: Caller }[]>;

  /** @param callers by digest, hexadecimal */
  constructor(callers: ReadonlyMap<string, Caller>) {
    const entries = [...callers].map(([digest, caller]) => ({ digest: Buffer.from(digest, 'hex'), caller }));
    this.#byPrefix = Map.groupBy(entries, ({ digest }) => digest.toString('hex').slice(0, PREFIX));
  }

  /** Whose a token is. */
  find(token: string): Caller | undefined {
    const hex = tokenDigest(token);
    const digest = Buffer.from(hex, 'hex');
    let found: Caller | undefined;
    for (const entry of this.#byPrefix.get(hex.slice(0, PREFIX)) ?? [{ digest: NOTHING, caller: undefined }])
      if (timingSafeEqual(digest, entry.digest)) found = entry.caller;
    return found;
  }
}
