import type { AuthConfig } from '../../config.ts';
import type { Logger } from '../../log.ts';
import { WatchedFiles } from '../../util/watched-files.ts';
import {
  type Authenticator,
  type BearerDoor,
  type CertificateDoor,
  createAuthenticator,
} from './authenticator.ts';
import { allowedEverything, allowedNothing } from './caller.ts';
import { TokenIndex, tokenDigest } from './digest.ts';
import { remoteKeys } from './jwks.ts';
import { jwtDoor, PUBLIC_KEY_ALGORITHMS, publicKey, SECRET_ALGORITHMS, secretKey } from './jwt.ts';
import { parseTokensFile } from './tokens-file.ts';

/** What the ways in are made of. */
export interface AuthOptions {
  readonly auth: AuthConfig;
  /** Whether the listener asks for client certificates. */
  readonly clientCertificates: boolean;
  /** Empty: there is none. */
  readonly adminToken: string;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The name of who brings ADMIN_TOKEN. No name of a tokens file, a certificate or a JWT has this form. */
const ADMIN_NAME = 'token:ADMIN_TOKEN';
/** Below it, a token can be found by trying. */
const MIN_ADMIN_TOKEN = 20;

/**
 * Opens the ways in that the configuration names; what stands in files is followed until `close`.
 *
 * @throws Error whose message tells a person why not
 */
export async function openAuthenticator(
  options: AuthOptions,
): Promise<{ authenticator: Authenticator; close(): void }> {
  const { auth, clientCertificates, adminToken, logger, now } = options;
  const { mode, tokensFile } = auth;
  const closers: (() => void)[] = [];
  const follow = async <T>(name: string, path: string, parse: (text: string) => T): Promise<() => T> => {
    const files = await WatchedFiles.open({
      paths: [path],
      parse: ([text = '']) => parse(text),
      onChange: () => logger.info({ file: path }, `${name} was read again`),
      onFault: (error) =>
        logger.error({ err: error, file: path }, `${name} cannot be used; what it said before holds`),
    }).catch((cause: Error) => {
      throw new Error(`${name} cannot be used: ${cause.message}`, { cause });
    });
    closers.push(() => files.close());
    return () => files.value;
  };
  const close = () => {
    for (const one of closers) one();
  };

  try {
    const usesFile = mode === 'tokens' || clientCertificates;
    if (tokensFile !== '' && !usesFile)
      logger.warn(
        'API_TOKENS_FILE is set and not used: AUTH is not tokens, and no client certificates are asked for',
      );
    const listed =
      tokensFile !== '' && usesFile
        ? await follow('API_TOKENS_FILE', tokensFile, (text) => {
            const { tokens, certificates } = parseTokensFile(text);
            return { tokens: new TokenIndex(tokens), certificates };
          })
        : undefined;

    const bearer: BearerDoor[] = [];
    if ((mode === 'tokens' || mode === 'jwt') && adminToken !== '') {
      if (adminToken.length < MIN_ADMIN_TOKEN)
        logger.warn(
          `ADMIN_TOKEN is shorter than ${MIN_ADMIN_TOKEN} characters, and lets in whoever guesses it`,
        );
      const admin = new TokenIndex(new Map([[tokenDigest(adminToken), allowedEverything(ADMIN_NAME)]]));
      bearer.push((token) => admin.find(token));
    }
    if (mode === 'tokens' && listed !== undefined) bearer.push((token) => listed().tokens.find(token));
    if (mode === 'jwt') bearer.push(await jwt());

    const certificate: CertificateDoor | undefined = clientCertificates
      ? ({ names }) => {
          const first = `cert:${names[0]}`;
          if (listed === undefined) return allowedEverything(first);
          const { certificates } = listed();
          const name = names.find((each) => certificates.has(each));
          return name === undefined ? allowedNothing(first) : certificates.get(name)!;
        }
      : undefined;
    return { authenticator: createAuthenticator({ bearer, certificate, now }), close };
  } catch (error) {
    close();
    throw error;
  }

  async function jwt(): Promise<BearerDoor> {
    const { jwksUrl, jwtSecret, jwtPublicKeyFile, jwtIssuer: issuer, jwtAudience: audience } = auth;
    if (audience === '')
      logger.warn('JWT_AUDIENCE is not set: tokens that were made for other services are accepted');
    const common = { issuer, audience, now };
    if (jwtSecret !== '') {
      const key = secret(jwtSecret);
      return jwtDoor({ ...common, key: async () => key, algorithms: SECRET_ALGORITHMS });
    }
    if (jwtPublicKeyFile !== '') {
      const current = await follow('JWT_PUBLIC_KEY_FILE', jwtPublicKeyFile, publicKey);
      return jwtDoor({ ...common, key: async () => current(), algorithms: PUBLIC_KEY_ALGORITHMS });
    }
    if (jwksUrl.startsWith('http:'))
      logger.warn('JWT_JWKS_URL is not https: who sits between can give keys of their own');
    const keys = remoteKeys({
      url: jwksUrl,
      onFailure: (error) => logger.warn({ err: error }, 'the keys of JWTs could not be fetched'),
      now,
    });
    closers.push(keys.close);
    return jwtDoor({ ...common, key: keys.key, algorithms: PUBLIC_KEY_ALGORITHMS });
  }
}

function secret(text: string) {
  try {
    return secretKey(text);
  } catch (cause) {
    throw new Error(`JWT_SECRET cannot be used: ${(cause as Error).message}`, { cause });
  }
}
