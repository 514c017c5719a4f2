const PATTERN = /^(?:\*|[A-Za-z0-9._-]{1,64}|[A-Za-z0-9._-]{1,63}\*)$/;

/** A text is no pattern of scopes. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

/**
 * Patterns of scopes: `*` is every scope, `play-*` every scope that begins with `play-`, anything else the one scope of
 * that name. They are anchored, and made of the characters of a scope and one `*` at the end.
 */
export class ScopePatterns {
  readonly #all: boolean;
  readonly #names: ReadonlySet<string>;
  readonly #prefixes: readonly string[];

  /** @throws PatternError */
  constructor(patterns: readonly string[]) {
    if (!patterns.every((pattern) => PATTERN.test(pattern)))
      throw new PatternError(
        'a pattern of scopes is *, a scope, or the beginning of one and *, in the characters A-Z a-z 0-9 . _ -',
      );
    this.#all = patterns.includes('*');
    this.#names = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
    this.#prefixes = patterns
      .filter((pattern) => /.\*$/.test(pattern))
      .map((pattern) => pattern.slice(0, -1));
  }

  /** Whether there is no scope that is meant. */
  get none(): boolean {
    return !this.#all && this.#names.size === 0 && this.#prefixes.length === 0;
  }

  /** Whether a scope, or every scope there can be, is meant. */
  include(scope: string | typeof EVERY_SCOPE): boolean {
    if (this.#all) return true;
    if (scope === EVERY_SCOPE) return false;
    return this.#names.has(scope) || this.#prefixes.some((prefix) => scope.startsWith(prefix));
  }
}

/** Stands for all scopes together, where a scope is asked for. */
export const EVERY_SCOPE = Symbol('every scope');
