const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_KNOWN_KEYS = 1_000;
const MAX_STACK_CHARACTERS = 16 * 1024;
const SECRET_KEY =
  /(authorization|cookies?|passw(or)?d|passphrase|secrets?|tokens?|apikeys?|secretkey|privatekey|credentials?)$/;

/** A copy without secrets, with errors reduced, bounded in depth and width. */
export function clean(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (value instanceof Error) return cleanError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => clean(item, depth + 1));
  if ('toJSON' in value) return value;
  const cleaned: Record<string, unknown> = {};
  let items = 0;
  for (const [key, inner] of Object.entries(value)) {
    if (++items > MAX_ITEMS) break;
    // Not by assignment: a key may be `__proto__`.
    if (key === '__proto__')
      Object.defineProperty(cleaned, key, { value: clean(inner, depth + 1), enumerable: true });
    else cleaned[key] = isSecret(key) ? '[redacted]' : clean(inner, depth + 1);
  }
  return cleaned;
}

/** The keys of log lines are few, and the same for every line. */
const knownKeys = new Map<string, boolean>();

function isSecret(key: string): boolean {
  let secret = knownKeys.get(key);
  if (secret === undefined) {
    secret = SECRET_KEY.test(key.replace(/[-_]/g, '').toLowerCase());
    if (knownKeys.size < MAX_KNOWN_KEYS) knownKeys.set(key, secret);
  }
  return secret;
}

function cleanError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  return {
    type: name === 'Error' ? error.constructor.name : name,
    message: String(message).slice(0, MAX_STACK_CHARACTERS),
    stack: stack?.slice(0, MAX_STACK_CHARACTERS),
    ...('code' in error && { code: error.code }),
    ...(cause !== undefined && { cause: clean(cause, depth + 1) }),
    ...(error instanceof AggregateError && { errors: clean(error.errors, depth + 1) }),
  };
}
