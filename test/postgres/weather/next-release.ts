import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import manifest from '../../../package.json' with { type: 'json' };
import { temporaryFolder } from '../../support/temporary.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;

/** Its version. */
export const NEXT_RELEASE = '99.0.0';
/** The name of its one migration more. */
export const NEXT_MIGRATION = 'Next1995478400000';

/**
 * Makes a copy of the source as the next release might be: another version, and a migration that adds a table, a
 * column to the table that is written most, and leaves this release working.
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
    `import type { QueryRunner } from 'typeorm';
    export class ${NEXT_MIGRATION} {
      readonly name = '${NEXT_MIGRATION}';
      async up(runner: QueryRunner): Promise<void> {
        await runner.query('CREATE TABLE next (id integer PRIMARY KEY)');
        for (const table of ['sequence', 'element', 'change', 'dirty_document'])
          await runner.query(\`ALTER TABLE \${table} ADD COLUMN note text\`);
        await runner.query(
          "INSERT INTO migration_release (name, min_release) VALUES ('${NEXT_MIGRATION}', '${manifest.version}')",
        );
      }
      async down(): Promise<void> {}
    }`,
  );
  const index = await readFile(join(migrations, 'index.ts'), 'utf8');
  const extended = index.replace(/(MIGRATIONS = \[.*)\]/, `$1, ${NEXT_MIGRATION}]`);
  if (extended === index) throw new Error('the list of migrations does not look as expected');
  await writeFile(
    join(migrations, 'index.ts'),
    `import { ${NEXT_MIGRATION} } from './next.ts';\n${extended}`,
  );
  return folder;
}
