import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import {
  AuthenticationUnavailableError,
  RateLimitedError,
  UnauthenticatedError,
} from '../../domain/errors.ts';
import { PEER, valuesOf } from '../call.ts';
import { peerName, type RateLimiter } from '../rate-limit.ts';
import type { Authenticator } from './authenticator.ts';
import { covers } from './caller.ts';
import { CERTIFICATE } from './certificate.ts';
import { EVERY_SCOPE } from './scope-patterns.ts';

/** Whether a plain request may see diagnostics, or the HTTP status that it is to be refused with. */
export type Diagnostics = (
  request: IncomingMessage | Http2ServerRequest,
) => Promise<true | 401 | 403 | 429 | 503>;

/**
 * Everybody where diagnostics are public, otherwise callers who may read every scope. Wrong tokens count as those of
 * calls do; a probe that shows none is no guess.
 */
export function diagnosticsFor(
  isPublic: boolean,
  authenticator: Authenticator,
  rateLimiter?: RateLimiter,
): Diagnostics {
  return async (request) => {
    if (isPublic) return true;
    const authorization = request.headers.authorization ?? null;
    const values = valuesOf(request, true);
    try {
      const caller = await authenticator.authenticate({
        authorization,
        certificate: values.get(CERTIFICATE),
      });
      // Where nobody is asked, nobody is known: then "off" means off.
      return caller.name !== '' && covers(caller.grant, 'read', EVERY_SCOPE) ? true : 403;
    } catch (error) {
      if (error instanceof UnauthenticatedError)
        return authorization === null ? 401 : await counted(peerName(values.get(PEER)));
      if (error instanceof AuthenticationUnavailableError) return 503;
      throw error;
    }
  };

  async function counted(peer: string): Promise<401 | 429> {
    try {
      await rateLimiter?.count(peer);
      return 401;
    } catch (error) {
      if (error instanceof RateLimitedError) return 429;
      throw error;
    }
  }
}
