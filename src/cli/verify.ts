import { describeDatabase, loadConfig, readEnvironment } from '../config.ts';
import { verifyDatabase } from '../db/database.ts';
import { DatabaseStartError } from '../db/errors.ts';
import { CommandError } from './command.ts';
import { print } from './output.ts';

const CANNOT_BE_READ = 2;

const PROMISES = {
  dense: 'promise 1, dense: the numbers of a sequence are 1..n',
  versioned: 'promise 2, versioned: the versions of an element are 1..m',
} as const;

/** Checks promises 1 and 2, and names each violation. Returns the exit code. */
export async function verify(): Promise<number> {
  const { database } = loadConfig(readEnvironment());
  const { sequences, elements, versions, violations } = await verifyDatabase(database).catch(
    (error: unknown) => {
      throw error instanceof DatabaseStartError ? new CommandError(error.message, CANNOT_BE_READ) : error;
    },
  );
  print(
    `${describeDatabase(database.url)}: ${sequences} sequences, ${elements} elements, ${versions} versions`,
  );
  for (const [promise, text] of Object.entries(PROMISES)) {
    const broken = violations.filter((violation) => violation.promise === promise);
    print(`${text}: ${broken.length === 0 ? 'holds' : 'VIOLATED'}`);
    for (const { message } of broken) print(`  ${message}`);
  }
  return violations.length === 0 ? 0 : 1;
}
