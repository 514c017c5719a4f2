/** Node's form of header fields, with lower-case names. */
export type HeaderRecord = Record<string, string | string[] | undefined>;

// What these match needs none of the checks and changes that the standard makes.
const PLAIN_NAME = /^[a-z0-9-]+$/;
const PLAIN_VALUE = /^[\x21-\x7e]+$/;

/**
 * The standard's `Headers` over Node's header fields. The standard's own are slow to make, and most calls ask for
 * one field or set one; all that goes beyond `get`, `has` and a plain `set` is done by them.
 */
export class LaneHeaders implements Headers {
  readonly #record: HeaderRecord;
  readonly #shared: boolean;
  #standard: Headers | undefined;

  /**
   * @param record the fields; pseudo-headers (`:path`) do not count. One that is not shared has no prototype
   * @param shared whether others hold the record too, so that it must stay as it is
   */
  constructor(record: HeaderRecord, shared: boolean) {
    this.#record = record;
    this.#shared = shared;
  }

  /** The fields in Node's form. */
  toRecord(): HeaderRecord {
    if (this.#standard === undefined) return this.#record;
    const record: HeaderRecord = Object.create(null);
    for (const [name, value] of this.#standard) if (name !== 'set-cookie') record[name] = value;
    const cookies = this.#standard.getSetCookie();
    if (cookies.length > 0) record['set-cookie'] = cookies;
    return record;
  }

  get(name: string): string | null {
    if (this.#standard !== undefined) return this.#standard.get(name);
    const key = name.toLowerCase();
    if (!PLAIN_NAME.test(key)) return this.#all().get(name);
    const value: unknown = this.#record[key];
    if (typeof value === 'string') return normalized(value);
    return Array.isArray(value) ? normalized(value.join(', ')) : null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  set(name: string, value: string): void {
    const key = name.toLowerCase();
    if (this.#standard === undefined && !this.#shared && PLAIN_NAME.test(key) && PLAIN_VALUE.test(value))
      this.#record[key] = value;
    else this.#all().set(name, value);
  }

  append(name: string, value: string): void {
    this.#all().append(name, value);
  }

  delete(name: string): void {
    this.#all().delete(name);
  }

  getSetCookie(): string[] {
    return this.#all().getSetCookie();
  }

  forEach(callback: (value: string, key: string, parent: Headers) => void, thisArg?: unknown): void {
    for (const [name, value] of this.#all()) callback.call(thisArg, value, name, this);
  }

  entries() {
    return this.#all().entries();
  }

  keys() {
    return this.#all().keys();
  }

  values() {
    return this.#all().values();
  }

  [Symbol.iterator]() {
    return this.#all()[Symbol.iterator]();
  }

  #all(): Headers {
    if (this.#standard === undefined) {
      this.#standard = new Headers();
      for (const [name, value] of Object.entries(this.#record)) {
        if (name.startsWith(':') || value === undefined) continue;
        for (const one of typeof value === 'string' ? [value] : value) this.#standard.append(name, one);
      }
    }
    return this.#standard;
  }
}

/** https://fetch.spec.whatwg.org/#concept-header-value-normalize. Node leaves a space where it joins an empty value to others. */
function normalized(value: string): string {
  const isPlain = value.charCodeAt(0) > 0x20 && value.charCodeAt(value.length - 1) > 0x20;
  return isPlain || value === '' ? value : value.replace(OUTER_SPACE, '');
}

const OUTER_SPACE = /^[\t\n\r ]+|[\t\n\r ]+$/g;
