import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { AuthenticationUnavailableError, UnauthenticatedError } from '../../domain/errors.ts';
import { valuesOf } from '../call.ts';
import type { Authenticator } from './authenticator.ts';
import { covers } from './caller.ts';
import { CERTIFICATE } from './certificate.ts';
import { EVERY_SCOPE } from './scope-patterns.ts';

/** Whether a plain request may see diagnostics, or the HTTP status that it is to be refused with. */
export type Diagnostics = (request: IncomingMessage | Http2ServerRequest) => Promise<true | 401 | 403 | 503>;

/** Everybody where diagnostics are public, otherwise callers who may read every scope. */
export function diagnosticsFor(isPublic: boolean, authenticator: Authenticator): Diagnostics {
  return async (request) => {
    if (isPublic) return true;
    try {
      const authorization = request.headers.authorization ?? null;
      const caller = await authenticator.authenticate({
        authorization,
        certificate: valuesOf(request).get(CERTIFICATE),
      });
      // Where nobody is asked, nobody is known: then "off" means off.
      return caller.name !== '' && covers(caller.grant, 'read', EVERY_SCOPE) ? true : 403;
    } catch (error) {
      if (error instanceof UnauthenticatedError) return 401;
      if (error instanceof AuthenticationUnavailableError) return 503;
      throw error;
    }
  };
}
