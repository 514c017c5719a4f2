import { type Caller, PERMISSIONS, type Permission } from './caller.ts';
import { PatternError, ScopePatterns } from './scope-patterns.ts';

/** What API_TOKENS_FILE says. */
export interface TokensFile {
  /** By the SHA-256 of the token, hexadecimal. */
  readonly tokens: ReadonlyMap<string, Caller>;
  /** By a name in the certificate. */
  readonly certificates: ReadonlyMap<string, Caller>;
}

/** A line of the file cannot be used. The message names it and repeats nothing of it. */
export class TokensFileError extends Error {
  override readonly name = 'TokensFileError';
}

export const TOKEN_NAME = /^[A-Za-z0-9._@-]{1,64}$/;
const CERTIFICATE_NAME = /^cert:[\x21-\x2b\x2d-\x7e]{1,128}$/;
const DIGEST = /^[0-9a-f]{64}$/i;

/**
 * Reads the lines `name permissions scopes sha256(token)` and `cert:NAME permissions scopes`. Permissions and scopes are
 * comma-separated lists; empty lines and what begins with `#` are passed over. A name may stand in several lines: each
 * is a token of the same caller, so that one can be replaced while the old one still works.
 *
 * @throws TokensFileError
 */
export function parseTokensFile(text: string): TokensFile {
  const tokens = new Map<string, Caller>();
  const certificates = new Map<string, Caller>();
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const fail = (why: string): never => {
      throw new TokensFileError(`line ${index + 1} ${why}`);
    };
    const [name = '', permissions = '', scopes = '', digest, ...more] = line.trim().split(/[ \t]+/);
    const isCertificate = name.startsWith('cert:');
    if (more.length > 0 || (digest === undefined) !== isCertificate)
      fail('is not "name permissions scopes sha256(token)" or "cert:NAME permissions scopes"');
    if (!(isCertificate ? CERTIFICATE_NAME : TOKEN_NAME).test(name))
      fail('has a name with characters that are not allowed, or too many');
    const caller: Caller = {
      name,
      grant: { permission: strongest(permissions, fail), scopes: patternsOf(scopes, fail) },
    };
    if (digest === undefined) {
      const subject = name.slice('cert:'.length);
      if (certificates.has(subject)) fail('names a certificate that another line names');
      certificates.set(subject, caller);
    } else {
      if (!DIGEST.test(digest)) fail('does not end with the SHA-256 of a token, 64 hexadecimal digits');
      if (tokens.has(digest.toLowerCase())) fail('has the token of another line');
      tokens.set(digest.toLowerCase(), caller);
    }
  }
  return { tokens, certificates };
}

/** A line for the file. */
export function tokenLine(name: string, permissions: string, scopes: string, digest: string): string {
  return `${name} ${permissions} ${scopes} ${digest}`;
}

function strongest(list: string, fail: (why: string) => never): Permission {
  const words = list.split(',');
  const known = words.every((word) => PERMISSIONS.some((permission) => permission === word));
  if (!known) fail(`has a permission other than ${PERMISSIONS.join(', ')}`);
  return PERMISSIONS.findLast((permission) => words.includes(permission))!;
}

function patternsOf(list: string, fail: (why: string) => never): ScopePatterns {
  try {
    return new ScopePatterns(list.split(','));
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return fail(`has a faulty scope: ${error.message}`);
  }
}
