import { outputOf } from '../children.ts';
import { onCores, pinned } from '../server.ts';
import { CALLS } from './calls.ts';
import { LOAD_GRACE_MS, type Load, type LoadResult } from './load.ts';

const SCRIPT = new URL('wrk.lua', import.meta.url).pathname;
const AUTOCANNON = new URL('autocannon.ts', import.meta.url).pathname;

/** One thread, one connection for each caller. */
export async function runWrk(load: Load): Promise<LoadResult> {
  const { path, template } = CALLS[load.call];
  const { scope, sequences, firstId, elements } = load.numbers;
  const headers = Object.entries(load.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const [command, args] = onCores(load.cores ?? 1, 'wrk', [
    ...['-t1', `-c${load.callers}`, `-d${load.seconds}s`, '--timeout', '30s', '-s', SCRIPT],
    ...headers,
    load.url,
    '--',
    ...[path, template, scope, sequences, firstId, elements].map(String),
  ]);
  const output = await outputOf(command, args, { limitMs: load.seconds * 1000 + LOAD_GRACE_MS });
  const result = JSON.parse(/^RESULT (.*)$/m.exec(output)![1]!) as LoadResult & { failed: number };
  if (result.failed > 0) throw new Error(`wrk saw ${result.failed} calls of ${load.call} fail`);
  return result;
}

/** Where wrk is not installed. */
export async function runAutocannon(load: Load): Promise<LoadResult> {
  const [command, args] = pinned(load.cores ?? 1, [AUTOCANNON, JSON.stringify(load)]);
  const output = await outputOf(command, args, { limitMs: load.seconds * 1000 + LOAD_GRACE_MS });
  const result = JSON.parse(output) as LoadResult & { failed: number };
  if (result.failed > 0) throw new Error(`autocannon saw ${result.failed} calls of ${load.call} fail`);
  return result;
}
