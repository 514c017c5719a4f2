import { outputOf } from '../children.ts';
import { pinned } from '../server.ts';

/** Runs a script of this folder on core 0, where the service would run; returns what it prints. */
export async function runRaw<T>(script: string, options: object): Promise<T> {
  const file = new URL(script, import.meta.url).pathname;
  const [command, args] = pinned(0, [file, JSON.stringify(options)]);
  return JSON.parse(await outputOf(command, args, { limitMs: 120_000 })) as T;
}
