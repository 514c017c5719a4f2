import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { endChild, outputOf, startChild, within } from './children.ts';
import { type BenchServer, pinned } from './server.ts';

/** Time for all documents of a measurement. */
const LIMIT_MS = 10 * 60_000;

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

/** What Typesense 29 took of each of 200,000 small documents in one import, where it was recorded: 3.8 s in all. */
export const TYPESENSE_MICROS = 19;

/** Starts an empty one; it waits so long for each document that it is sent, besides what it takes itself. */
export async function startIndex(kind: IndexKind, microsPerDocument = 0): Promise<BenchIndex> {
  const script = new URL('double.ts', import.meta.url).pathname;
  const [command, args] = pinned(1, [script, kind, String(microsPerDocument)]);
  const child = startChild(command, args);
  const line = once(createInterface({ input: child.stdout! }), 'line') as Promise<[string]>;
  const [url] = await within(30_000, 'the start of an index', line);
  const env: Record<string, string> =
    kind === 'typesense'
      ? { TYPESENSE_URL: url, TYPESENSE_API_KEY: 'typesense-key' }
      : { TYPESENSE_CLIENT_URL: url, TYPESENSE_SERVICE_API_KEY: 'client-key' };
  return { kind, url, env, stop: () => endChild(child, 'SIGKILL') };
}

/** Resolves when the index holds so many documents of the service's. Throws where that takes too long. */
export async function holds(index: BenchIndex, count: number): Promise<void> {
  const until = performance.now() + LIMIT_MS;
  const headers = { 'x-typesense-api-key': 'typesense-key', authorization: 'Bearer client-key' };
  for (;;) {
    const { statusCode, body } = await request(`${index.url}/collections/sequence_documents`, { headers });
    const { num_documents: held } = (await body.json()) as { num_documents?: number };
    if (statusCode === 200 && held === count) return;
    if (performance.now() > until) throw new Error(`${index.kind} holds ${held} documents of ${count}`);
    await sleep(10);
  }
}

/** How fast documents went, and what the sender's process, its SQLite threads included, spent on each. */
export interface IndexRate {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

/** A service that starts with so many dirty documents, until the index holds them. */
export async function serviceRate(
  index: BenchIndex,
  count: number,
  start: () => Promise<BenchServer>,
): Promise<IndexRate> {
  const server = await start();
  const [started, cpu] = [performance.now(), cpuSeconds(server.pid)];
  await holds(index, count);
  const seconds = (performance.now() - started) / 1000;
  const cpuMicros = ((cpuSeconds(server.pid) - cpu) * 1e6) / count;
  await server.stop();
  return { perSecond: count / seconds, cpuMicros };
}

/** Of a process, all threads, in steps of 10 ms; where the system tells it. */
function cpuSeconds(pid: number): number {
  if (!existsSync(`/proc/${pid}/stat`)) return Number.NaN;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The same documents sent with the bare client, from core 0. */
export async function bareRate(index: BenchIndex, count: number): Promise<IndexRate> {
  const script = new URL('driver-bare.ts', import.meta.url).pathname;
  const [command, args] = pinned(0, [script, JSON.stringify({ kind: index.kind, url: index.url, count })]);
  return JSON.parse(await outputOf(command, args, { limitMs: LIMIT_MS })) as IndexRate;
}
