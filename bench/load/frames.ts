import { outputOf } from '../children.ts';
import { pinned } from '../server.ts';
import { LOAD_GRACE_MS, type Load, type LoadResult } from './load.ts';

const DRIVER = new URL('frames-driver.ts', import.meta.url).pathname;

/** gRPC on one connection by the bench's own generator, a body of its own for each call. */
export async function runFrames(load: Load): Promise<LoadResult> {
  const [command, args] = pinned(load.cores ?? 1, [DRIVER, JSON.stringify(load)]);
  const output = await outputOf(command, args, { limitMs: load.seconds * 1000 + LOAD_GRACE_MS });
  return JSON.parse(output) as LoadResult;
}
