import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { pinned } from './server.ts';

/** The two kinds of search index. */
export type IndexKind = 'typesense' | 'typesense-client';

/** A search index in a process on core 1. */
export interface BenchIndex {
  readonly kind: IndexKind;
  readonly url: string;
  /** What the service is told of it. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Starts an empty one. */
export async function startIndex(kind: IndexKind): Promise<BenchIndex> {
  const script = new URL('double.ts', import.meta.url).pathname;
  const [command, args] = pinned(1, [script, kind]);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const env: Record<string, string> =
    kind === 'typesense'
      ? { TYPESENSE_URL: url, TYPESENSE_API_KEY: 'typesense-key' }
      : { TYPESENSE_CLIENT_URL: url, TYPESENSE_SERVICE_API_KEY: 'client-key' };
  return {
    kind,
    url,
    env,
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Resolves when the index holds so many documents of the service's. */
export async function holds(index: BenchIndex, count: number): Promise<void> {
  const headers = { 'x-typesense-api-key': 'typesense-key', authorization: 'Bearer client-key' };
  for (;;) {
    const { statusCode, body } = await request(`${index.url}/collections/sequence_documents`, { headers });
    const { num_documents: held } = (await body.json()) as { num_documents?: number };
    if (statusCode === 200 && held === count) return;
    await sleep(10);
  }
}

/** Documents a second that the bare HTTP client sends, from core 0. */
export async function bareRate(index: BenchIndex, count: number): Promise<number> {
  const script = new URL('driver-bare.ts', import.meta.url).pathname;
  const [command, args] = pinned(0, [script, JSON.stringify({ kind: index.kind, url: index.url, count })]);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'close');
  return (JSON.parse(output) as { perSecond: number }).perSecond;
}
