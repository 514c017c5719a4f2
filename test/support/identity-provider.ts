import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { onTestFinished } from 'vitest';

/** How the endpoint answers. */
export type Mood = 'keys' | 'hang' | 'error' | 'rubbish' | 'huge';

/** Who signs tokens and gives out the keys to check them with, over real HTTP. */
export class IdentityProvider {
  readonly url: string;
  /** Requests for keys so far. */
  fetches = 0;
  mood: Mood = 'keys';
  #keys: { kid: string; privateKey: CryptoKey; jwk: JWK }[] = [];

  private constructor(url: string) {
    this.url = url;
  }

  /** Starts one with a key; it ends with the test. */
  static async start(): Promise<IdentityProvider> {
    const hanging = new Set<ServerResponse>();
    const server = createServer((_request, response) => {
      provider.fetches += 1;
      switch (provider.mood) {
        case 'hang':
          hanging.add(response);
          return;
        case 'error':
          response.writeHead(500).end();
          return;
        case 'rubbish':
          response.end('{"keys":"none"}');
          return;
        case 'huge':
          response.end(`{"keys":[],"padding":"${'x'.repeat(2 * 1024 * 1024)}"}`);
          return;
        default:
          response.end(JSON.stringify({ keys: provider.#keys.map(({ jwk }) => jwk) }));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const provider = new IdentityProvider(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`);
    onTestFinished(async () => {
      for (const response of hanging) response.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    await provider.rotate('first');
    return provider;
  }

  /** Puts a new key in the place of all before it. */
  async rotate(kid: string): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
    this.#keys = [{ kid, privateKey, jwk }];
  }

  /** A token, good unless told otherwise. */
  async sign(claims: JWTPayload = {}, kid = this.#keys[0]!.kid): Promise<string> {
    return await new SignJWT({ ...goodClaims(), ...claims })
      .setProtectedHeader({ alg: 'ES256', kid })
      .sign(this.#keys[0]!.privateKey);
  }
}

/** What a token says that may do everything for five minutes. */
export function goodClaims(): JWTPayload {
  return { sub: 'alice', roles: ['admin'], exp: Math.floor(Date.now() / 1000) + 300 };
}

/** A token signed with a secret. */
export async function signedWith(secret: string, claims: JWTPayload = {}, alg = 'HS256'): Promise<string> {
  return await new SignJWT({ ...goodClaims(), ...claims })
    .setProtectedHeader({ alg })
    .sign(Buffer.from(secret));
}
