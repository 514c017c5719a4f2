import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A proxy in front of the service that counts calls and can hold one of them back. */
export interface CountingProxy {
  readonly url: string;
  /** The methods that were called, in order. */
  readonly calls: string[];
  /** The calls that write. */
  writes(): string[];
  /**
   * Holds back what comes of a write: its request, so that it is never made, or its answer, so that nobody knows.
   *
   * @param at the how manieth write, from 1
   * @returns what resolves when it is held
   */
  hold(at: number, what: 'request' | 'answer'): Promise<void>;
}

/** Starts one; it ends with the test. */
export async function startProxy(target: string): Promise<CountingProxy> {
  const calls: string[] = [];
  const writes = () => calls.filter((method) => !/^(Get|List)/.test(method));
  let held: { at: number; what: 'request' | 'answer'; resolve: () => void } | undefined;
  const server = http.createServer((request, response) => {
    const method = request.url!.split('/').at(-1)!;
    calls.push(method);
    const hold =
      held !== undefined && writes().length === held.at && !/^(Get|List)/.test(method) ? held : undefined;
    if (hold?.what === 'request') return hold.resolve();
    const forwarded = http.request(`${target}${request.url}`, {
      method: request.method,
      headers: request.headers,
    });
    forwarded.on('error', () => response.destroy());
    forwarded.on('response', (answer) => {
      if (hold !== undefined) {
        answer.resume();
        answer.on('end', hold.resolve);
        return;
      }
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(forwarded);
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    writes,
    hold: (at, what) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = { at, what, resolve };
      return promise;
    },
  };
}
