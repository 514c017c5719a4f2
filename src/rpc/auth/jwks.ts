import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';

/** The keys cannot be had: the endpoint does not answer, or not with keys. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** Where the keys are, and who hears of failures. */
export interface JwksOptions {
  readonly url: string;
  readonly onFailure: (error: KeysUnavailable) => void;
  readonly now: () => number;
  /** A fetch is given up after this time, milliseconds. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 3_000;
/** After a failure nobody asks again for this long. */
const PAUSE_MS = 5_000;
/** The last keys are used for this long where newer ones cannot be had. */
const MAX_STALE_MS = 60 * 60_000;
/** Keys are fetched anew after this time. */
const MAX_AGE_MS = 10 * 60_000;
/** A key that is not known is looked for once in this time, however many tokens name it. */
const COOLDOWN_MS = 30_000;
const MAX_BYTES = 1024 * 1024;

/**
 * The keys at a URL. jose caches them, fetches once for all who wait, and leaves 30 s between two fetches for keys that
 * it does not know. This adds what it lacks: a pause after a failure, a bound on the answer's size, and the last good
 * keys for an hour where the endpoint is down. `close` gives up a fetch that runs, which would hold up a stop.
 */
export function remoteKeys(options: JwksOptions): { key: JWTVerifyGetKey; close(): void } {
  const { url, onFailure, now } = options;
  const closed = new AbortController();
  let good: { text: string; at: number } | undefined;
  let pausedUntil = 0;

  async function fetchKeys(input: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
    try {
      const signal = AbortSignal.any([init.signal, closed.signal]);
      const text = await boundedText(await fetch(input, { ...init, signal }));
      good = { text, at: now() };
      return jsonResponse(text);
    } catch (cause) {
      const why = cause instanceof Error ? `${cause.message}${causeOf(cause)}` : String(cause);
      const error = new KeysUnavailable(`no keys from JWT_JWKS_URL: ${why}`, { cause });
      pausedUntil = now() + PAUSE_MS;
      onFailure(error);
      if (good !== undefined && now() - good.at < MAX_STALE_MS) return jsonResponse(good.text);
      throw error;
    }
  }

  const key = createRemoteJWKSet(new URL(url), {
    timeoutDuration: options.timeoutMs ?? TIMEOUT_MS,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: MAX_AGE_MS,
    [customFetch]: async (input, init) => {
      if (now() < pausedUntil) throw new KeysUnavailable('no keys from JWT_JWKS_URL a moment ago');
      return await fetchKeys(input, init);
    },
  });
  return { key, close: () => closed.abort(new Error('the service stops')) };
}

async function boundedText(response: Response): Promise<string> {
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`it answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new Error(`its answer is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  const { keys } = (JSON.parse(text) ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'object' && key !== null))
    throw new Error('its answer holds no keys');
  return text;
}

function jsonResponse(text: string): Response {
  return new Response(text, { headers: { 'content-type': 'application/json' } });
}

/** fetch hides the reason behind "fetch failed". */
function causeOf({ cause }: Error): string {
  return cause instanceof Error ? ` (${cause.message})` : '';
}
