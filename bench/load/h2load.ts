import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from '../arithmetic.ts';
import { benchFolder, outputOf } from '../children.ts';
import { onCores } from '../server.ts';
import { grpcBodies } from './bodies.ts';
import { CALLS } from './calls.ts';
import { LOAD_GRACE_MS, type Load, type LoadResult } from './load.ts';

/** gRPC on one connection, one stream for each caller, every call with the same body. */
export async function runH2load(load: Load): Promise<LoadResult> {
  const folder = benchFolder();
  try {
    const [body, log] = [join(folder.path, 'body'), join(folder.path, 'log')];
    writeFileSync(body, grpcBodies(load.call, load.numbers)());
    const headers = Object.entries({
      'content-type': 'application/grpc',
      te: 'trailers',
      ...load.headers,
    }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const [command, args] = onCores(load.cores ?? 1, 'h2load', [
      ...['-c1', '-t1', `-m${load.callers}`, `-D${load.seconds}`, '-d', body, '--log-file', log],
      ...headers,
      load.url + CALLS[load.call].path,
    ]);
    const output = await outputOf(command, args, { limitMs: load.seconds * 1000 + LOAD_GRACE_MS });
    if (!/ 0 failed, 0 errored, 0 timeout/.test(output)) throw new Error(`h2load says: ${output}`);
    return { ...parseLog(readFileSync(log, 'utf8'), load.seconds) };
  } finally {
    folder.remove();
  }
}

/** Lines of start (microseconds since 1970), status, duration (microseconds). */
export function parseLog(text: string, seconds: number): LoadResult {
  const taken: number[] = [];
  for (const line of text.split('\n')) {
    const [, status, duration] = line.split('\t');
    if (status === '200') taken.push(Number(duration) / 1000);
  }
  return {
    calls: taken.length,
    perSecond: taken.length / seconds,
    p50: taken.length > 0 ? percentile(taken, 0.5) : 0,
    p99: taken.length > 0 ? percentile(taken, 0.99) : 0,
  };
}
