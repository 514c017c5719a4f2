import { ConfigError, describeDatabase, loadConfig, readEnvironment } from '../config.ts';
import { copyDatabase } from '../db/copy.ts';
import { CommandError } from './command.ts';
import { print } from './output.ts';
import { Progress } from './progress.ts';

const WRONG_USAGE = 2;

/** Copies a database into an empty one. Returns the exit code. */
export async function copy(from: unknown, to: unknown): Promise<number> {
  const [source, target] = [placeOf('--from', from), placeOf('--to', to)];
  let progress: Progress | undefined;
  const { sequences, elements, versions } = await copyDatabase(source, target, {
    begin: (rows) => {
      progress = new Progress('rows', rows);
    },
    add: (rows) => progress?.add(rows),
  }).finally(() => progress?.end());
  const name = describeDatabase(target.url);
  print(`${name}: ${sequences} sequences, ${elements} elements, ${versions} versions`);
  print(`checked; the service may be started with this DATABASE_URL, and no more with the other`);
  return 0;
}

function placeOf(option: string, url: unknown) {
  if (typeof url !== 'string') throw new CommandError(`"cli copy" needs ${option}`, WRONG_USAGE);
  try {
    return loadConfig({ ...readEnvironment(), DATABASE_URL: url }).database;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CommandError(error.message.replaceAll('DATABASE_URL', option), 1);
  }
}
