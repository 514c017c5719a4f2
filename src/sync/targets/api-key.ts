import { type Dispatcher, request } from 'undici';
import { OutageError } from '../target.ts';
import { boundedText } from './bounded-text.ts';

/** Where the key of the Typesense Client service comes from. */
export interface ApiKeyOptions {
  /** The key itself; the rest is not needed then. */
  readonly key: string | undefined;
  readonly managementUrl: string | undefined;
  readonly adminToken: string | undefined;
  readonly serviceName: string;
  readonly dispatcher: Dispatcher;
  readonly onRefresh: (outcome: 'ok' | 'failed') => void;
}

const MAX_ANSWER_BYTES = 64 * 1024;

/** The bearer key: given, or fetched from the key management service, kept, and fetched again when it is refused. */
export class ApiKey {
  readonly #options: ApiKeyOptions;
  #key: string | undefined;
  #fetching: Promise<string> | undefined;

  constructor(options: ApiKeyOptions) {
    this.#options = options;
    this.#key = options.key;
  }

  /** The last good key, fetched where there is none. Throws OutageError. */
  async get(signal: AbortSignal): Promise<string> {
    return this.#key ?? (await this.#fetch(signal));
  }

  /** The key was refused: fetches another, once for all who ask, and keeps the old one until there is one. */
  async renew(refused: string, signal: AbortSignal): Promise<string> {
    if (this.#options.managementUrl === undefined || this.#options.key !== undefined) return refused;
    if (this.#key !== undefined && this.#key !== refused) return this.#key;
    return await this.#fetch(signal);
  }

  #fetch(signal: AbortSignal): Promise<string> {
    this.#fetching ??= this.#ask(signal)
      .then(
        (key) => {
          this.#key = key;
          this.#options.onRefresh('ok');
          return key;
        },
        (error: unknown) => {
          this.#options.onRefresh('failed');
          throw error;
        },
      )
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  async #ask(signal: AbortSignal): Promise<string> {
    const { managementUrl, adminToken, serviceName, dispatcher } = this.#options;
    try {
      const { statusCode, body } = await request(
        `${managementUrl!.replace(/\/$/, '')}/keys/${encodeURIComponent(serviceName)}`,
        { headers: { authorization: `Bearer ${adminToken ?? ''}` }, dispatcher, signal },
      );
      const text = await boundedText(body, MAX_ANSWER_BYTES);
      if (statusCode !== 200) throw new Error(`it answered ${statusCode}`);
      const { service_name: owner, api_key: key } = parsed(text);
      if (owner !== serviceName) throw new Error('its answer is about another service');
      if (typeof key !== 'string' || !/^[\x21-\x7e]+$/.test(key)) throw new Error('its answer holds no key');
      return key;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new OutageError(`the key management service gave no key: ${why}`, { unanswered: false, cause });
    }
  }
}

/** An answer's text may hold a key: what cannot be read is not repeated in the error. */
function parsed(text: string): { service_name?: unknown; api_key?: unknown } {
  try {
    return (JSON.parse(text) ?? {}) as { service_name?: unknown; api_key?: unknown };
  } catch {
    throw new Error('its answer is not JSON');
  }
}
