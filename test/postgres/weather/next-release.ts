import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import manifest from '../../../package.json' with { type: 'json' };
import { temporaryFolder } from '../../support/temporary.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;

/** Its version. */
export const NEXT_RELEASE = '99.0.0';
/** The tables of this release that it changes, each in a migration of its own. */
const TABLES = ['sequence', 'element', 'change', 'dirty_document'];
/** The names of its migrations, oldest first. */
export const NEXT_MIGRATIONS = ['next', ...TABLES].map(
  (table, index) => `Next_${table}${1_995_478_400_000 + index}`,
);

/**
 * Makes a copy of the source as the next release might be: another version, and migrations that add a table and
 * a column to each table that is written most, and leave this release working.
 *
 * @returns its folder
 */
export async function nextRelease(): Promise<string> {
  const folder = join(await temporaryFolder(), 'next/');
  await mkdir(folder);
  await cp(join(ROOT, 'src'), join(folder, 'src'), { recursive: true });
  for (const name of ['gen', 'node_modules']) await symlink(join(ROOT, name), join(folder, name));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ ...manifest, version: NEXT_RELEASE }));

  const migrations = join(folder, 'src/db/migrations');
  await writeFile(
    join(migrations, 'next.ts'),
    NEXT_MIGRATIONS.map((name, index) =>
      migration(
        name,
        index === 0
          ? 'CREATE TABLE next (id integer PRIMARY KEY)'
          : `ALTER TABLE ${TABLES[index - 1]} ADD COLUMN note text`,
      ),
    ).join('\n'),
  );
  const index = await readFile(join(migrations, 'index.ts'), 'utf8');
  const extended = index.replace(/(MIGRATIONS = \[.*)\]/, `$1, ${NEXT_MIGRATIONS.join(', ')}]`);
  if (extended === index) throw new Error('the list of migrations does not look as expected');
  await writeFile(
    join(migrations, 'index.ts'),
    `import { ${NEXT_MIGRATIONS.join(', ')} } from './next.ts';\n${extended}`,
  );
  return folder;
}

const migration = (name: string, statement: string) => `
  export class ${name} {
    readonly name = '${name}';
    async up(runner: import('typeorm').QueryRunner): Promise<void> {
      await runner.query('${statement}');
      await runner.query(
        "INSERT INTO migration_release (name, min_release) VALUES ('${name}', '${manifest.version}')",
      );
    }
    async down(): Promise<void> {}
  }`;
