import { UnauthenticatedError } from '../../domain/errors.ts';
import { ANYONE, type Caller } from './caller.ts';
import type { Certificate } from './certificate.ts';

/** What a call shows. */
export interface Credentials {
  /** The header. */
  readonly authorization: string | null;
  readonly certificate: Certificate | undefined;
}

/** Tells who makes a call. */
export interface Authenticator {
  /**
   * @throws UnauthenticatedError, AuthenticationUnavailableError
   */
  authenticate(credentials: Credentials): Caller | Promise<Caller>;
}

/**
 * Tells whose a bearer token is; undefined: not one that it knows, for the next one to ask. Throws, or rejects where it
 * has to wait, as {@link Authenticator} does.
 */
export type BearerDoor = (token: string) => Caller | undefined | Promise<Caller>;
/** Tells what a certificate may do. */
export type CertificateDoor = (shown: Certificate) => Caller;

/** The ways in that are open. */
export interface Doors {
  /** Asked one after another until one knows the token; none: the header is not looked at. */
  readonly bearer: readonly BearerDoor[];
  readonly certificate: CertificateDoor | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/**
 * A bearer token decides where there is one: a wrong one is not made good by a certificate. Without any door, everybody
 * is let in.
 */
export function createAuthenticator({ bearer, certificate, now }: Doors): Authenticator {
  if (bearer.length === 0 && certificate === undefined) return { authenticate: () => ANYONE };
  return {
    authenticate({ authorization, certificate: shown }) {
      if (authorization !== null && bearer.length > 0) {
        const token = BEARER.exec(authorization)?.[1];
        if (token === undefined) throw new UnauthenticatedError();
        for (const door of bearer) {
          const caller = door(token);
          if (caller !== undefined) return caller;
        }
        throw new UnauthenticatedError();
      }
      if (certificate !== undefined && shown !== undefined && shown.validUntil > now())
        return certificate(shown);
      throw new UnauthenticatedError();
    },
  };
}
