import type { DataSource } from 'typeorm';
import { DatabaseStartError } from './errors.ts';
import { type Verification, verify } from './verify.ts';

/**
 * Checks a whole SQLite database that nobody writes: its pages and indexes, its foreign keys, and promises 1 and 2.
 *
 * @throws DatabaseStartError where one of them does not hold
 */
export async function checkIntegrity(source: DataSource, file: string): Promise<Verification> {
  const found = await source.query<{ integrity_check: string }[]>('PRAGMA integrity_check(1)');
  if (found[0]?.integrity_check !== 'ok')
    throw new DatabaseStartError(`${file} is damaged: ${found[0]?.integrity_check}`);
  const loose = await source.query<{ table: string }[]>('PRAGMA foreign_key_check');
  if (loose.length > 0)
    throw new DatabaseStartError(
      `${file} is damaged: ${loose.length} row(s) of ${loose[0]!.table} belong to nothing`,
    );
  const verification = await verify(source);
  const [violation] = verification.violations;
  if (violation !== undefined)
    throw new DatabaseStartError(`${file} breaks its promises: ${violation.message}; "cli verify" names all`);
  return verification;
}
