import { loadConfig, readEnvironment } from '../config.ts';
import { CommandError } from './command.ts';

/** The SQLite file of this configuration, for a command that works on files. */
export function sqliteFile(command: string): string {
  const { url } = loadConfig(readEnvironment()).database;
  if (url.engine !== 'sqlite')
    throw new CommandError(
      `"cli ${command}" is for SQLite; docs/operations.md says what to run for PostgreSQL`,
      1,
    );
  return url.file;
}
