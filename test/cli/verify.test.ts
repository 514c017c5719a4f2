import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { h1Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { startService } from '../support/service.ts';
import { openSqlite } from '../support/sqlite.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A service's database with three elements, 7, 8 and 9, of which 8 has two versions. */
async function filledService() {
  const service = await startService();
  const call = h1Caller(service.port);
  const sequence = { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' };
  for (const elementId of [7, 8, 9])
    expect(await call('Generate', { ...sequence, elementId })).toMatchObject({ status: 200 });
  expect(await call('CreateVersion', { ...sequence, elementId: 8 })).toMatchObject({ status: 200 });
  return { ...service, env: { DATABASE_URL: `sqlite:///${service.file}` } };
}

test('a database that holds its promises, while a service runs and after it', async () => {
  const { file, env, child, ended } = await filledService();
  const clean = {
    code: 0,
    stderr: '',
    stdout: [
      `${file}: 1 sequences, 3 elements, 4 versions`,
      'promise 1, dense: the numbers of a sequence are 1..n: holds',
      'promise 2, versioned: the versions of an element are 1..m: holds',
      '',
    ].join('\n'),
  };
  expect(await cli(['verify'], env)).toEqual(clean);
  child.kill('SIGTERM');
  await ended;
  expect(await cli(['verify'], env)).toEqual(clean);
});

test.each([
  [
    'a gap',
    'UPDATE element SET sequence_number = 4 WHERE element_id = 9',
    /sequence play\/section says size 3/,
  ],
  ['a size that is wrong', 'UPDATE sequence SET size = 4', /sequence play\/section says size 4 but has 3/],
  ['a missing version', 'DELETE FROM version', /element play\/section\/8 is at version 2 but keeps 0/],
  ['a version of nothing', 'UPDATE version SET element_id = 70', /version 1 of element 70 .* has no element/],
])('%s is named', async (_what, damage, message) => {
  const { file, env } = await filledService();
  await (await openSqlite(file)).run(`PRAGMA foreign_keys = OFF; ${damage}`);
  const { code, stdout, stderr } = await cli(['verify'], env);
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout).toMatch(message);
  expect(stdout.match(/VIOLATED/g)?.length).toBeGreaterThan(0);
});

describe('what cannot be read is told in one line, with exit code 2:', () => {
  test.each([
    ['no file', undefined, /^there is no database \S+\n$/],
    ['an empty file', '', /^\S+ lacks the migration\(s\) Initial\d+\n$/],
    ['another file', 'x'.repeat(5_000), /^the database \S+ cannot be opened: .*not a database\n$/],
  ])('%s', async (_what, content, message) => {
    const file = join(await temporaryFolder(), 'some.db');
    if (content !== undefined) await writeFile(file, content);
    const { code, stdout, stderr } = await cli(['verify'], { DATABASE_URL: `sqlite:///${file}` });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
