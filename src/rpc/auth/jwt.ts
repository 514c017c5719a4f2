import { createPublicKey, createSecretKey, hash, type KeyObject } from 'node:crypto';
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { AuthenticationUnavailableError, UnauthenticatedError } from '../../domain/errors.ts';
import type { BearerDoor } from './authenticator.ts';
import type { Caller, Permission } from './caller.ts';
import { KeysUnavailable } from './jwks.ts';
import { PatternError, ScopePatterns } from './scope-patterns.ts';

/** How tokens are checked. */
export interface JwtOptions {
  /** Gives the key of a token. */
  readonly key: JWTVerifyGetKey;
  /** What may stand in `alg`: fixed by the kind of the key, never by the token. */
  readonly algorithms: readonly string[];
  /** Empty: not checked, as `audience`. */
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** With a secret. */
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
/** With a public key. No HMAC: a public key must never be taken for its secret. */
export const PUBLIC_KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** By how much clocks may differ. */
const SKEW_S = 30;
/** A token that was good is not checked again for this long: what a key's withdrawal may take to be noticed. */
const REMEMBERED_MS = 60_000;
const MAX_REMEMBERED = 10_000;
const MAX_NAME = 200;

/** Lets in by JWT. What it lets in once is remembered for a minute, by its hash. */
export function jwtDoor(options: JwtOptions): BearerDoor {
  const { key, algorithms, issuer, audience, now } = options;
  const remembered = new Map<string, { caller: Caller; until: number }>();

  async function verify(token: string, digest: string): Promise<Caller> {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [...algorithms],
      clockTolerance: SKEW_S,
      currentDate: new Date(now()),
      // Without an end, a token that leaks opens for ever.
      requiredClaims: ['exp', 'sub'],
      ...(issuer !== '' && { issuer }),
      ...(audience !== '' && { audience }),
    }).catch((error: unknown) => {
      throw told(error);
    });
    const caller = callerOf(payload);
    const until = Math.min((payload.exp! + SKEW_S) * 1000, now() + REMEMBERED_MS);
    remembered.set(digest, { caller, until });
    // The map is in the order in which they came: the oldest goes.
    if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!);
    return caller;
  }

  return (token) => {
    const digest = hash('sha256', token, 'base64');
    const known = remembered.get(digest);
    if (known !== undefined && known.until > now()) return known.caller;
    remembered.delete(digest);
    return verify(token, digest);
  };
}

/** @throws Error where the secret is too short to be one */
export function secretKey(secret: string): KeyObject {
  if (secret.length < 32)
    throw new Error('it is shorter than 32 characters, so it could be guessed from a token');
  return createSecretKey(Buffer.from(secret));
}

/** @throws Error where the text is no public key in PEM */
export function publicKey(pem: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) throw new Error('it holds a private key; the public one is wanted');
  return createPublicKey(pem);
}

/**
 * What jose says of a token is told only in so far as its signature was good. It throws errors of several kinds for a
 * token that does not fit the key.
 */
function told(error: unknown): Error {
  if (error instanceof KeysUnavailable || error instanceof errors.JWKSInvalid)
    return new AuthenticationUnavailableError(error);
  if (error instanceof errors.JWTExpired) return new UnauthenticatedError('the token has expired');
  return error instanceof errors.JWTClaimValidationFailed
    ? wrongClaim(error.claim)
    : new UnauthenticatedError();
}

/**
 * `roles` with `admin`, or `scope` with `sequence:read`, `sequence:write` or `sequence:admin`, say what; `sequence_scopes`
 * says where, everywhere where it is not there.
 */
function callerOf(payload: JWTPayload): Caller {
  const { sub, roles, scope, sequence_scopes: scopes } = payload;
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_NAME || /[\p{C}\s]/u.test(sub))
    throw wrongClaim('sub');
  const granted = listOf(scope, 'scope');
  const permission: Permission | undefined =
    listOf(roles, 'roles').includes('admin') || granted.includes('sequence:admin')
      ? 'admin'
      : granted.includes('sequence:write')
        ? 'write'
        : granted.includes('sequence:read')
          ? 'read'
          : undefined;
  try {
    const patterns = scopes === undefined ? ['*'] : listOf(scopes, 'sequence_scopes');
    return { name: `jwt:${sub}`, grant: { permission, scopes: new ScopePatterns(patterns) } };
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw wrongClaim('sequence_scopes');
  }
}

/** A claim that holds words: an array, or a text with blanks between them. */
function listOf(claim: unknown, name: string): string[] {
  if (claim === undefined) return [];
  const words: unknown = typeof claim === 'string' ? claim.split(' ').filter((word) => word !== '') : claim;
  if (!Array.isArray(words) || !words.every((word): word is string => typeof word === 'string'))
    throw wrongClaim(name);
  return words;
}

function wrongClaim(name: string): UnauthenticatedError {
  return new UnauthenticatedError(`the token is not accepted: its claim "${name}" is wrong or missing`);
}
