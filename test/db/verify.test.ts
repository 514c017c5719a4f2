import { expect, test } from 'vitest';
import { verifyDatabase } from '../../src/db/database.ts';
import {
  batchGenerate,
  batchOf,
  createVersion,
  generate,
  openTestDatabase,
  SCENES,
  type TestDatabase,
} from '../domain/harness.ts';
import { ENGINE } from '../engines/index.ts';
import { placeOf } from '../support/place.ts';

/** Scripts 1, 2, 3 (2 in its third version) and scenes 7, 8: sequence ids 1 and 2. */
async function healthy(): Promise<TestDatabase> {
  const db = await openTestDatabase();
  await batchOf(db, [batchGenerate([1, 2, 3]), createVersion(2), createVersion(2)]);
  await batchOf(db, [batchGenerate([7, 8], { sequence: SCENES })]);
  return db;
}

async function broken(...statements: string[]): Promise<unknown> {
  const { place } = await healthy();
  // It does not look at foreign keys: SQLite does so only where a connection asks for it.
  const connection = await ENGINE.connect(place);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.close();
  }
  return (await verifyDatabase(placeOf(place))).violations;
}

test('a healthy database has no violations, and is counted', async () => {
  const { place } = await healthy();
  expect(await verifyDatabase(placeOf(place))).toEqual({
    sequences: 2,
    elements: 5,
    versions: 7,
    violations: [],
  });
});

test.each<[name: string, statements: string[], violations: [string, string][]]>([
  [
    'a gap',
    ['UPDATE element SET sequence_number = 9 WHERE element_id = 3'],
    [['dense', 'sequence play/script says size 3 but has 3 elements with numbers 1..9, 3 of them distinct']],
  ],
  [
    'a gap at the beginning',
    [
      'UPDATE element SET sequence_number = sequence_number + 10',
      'UPDATE element SET sequence_number = sequence_number - 9',
    ],
    [
      ['dense', 'sequence play/script says size 3 but has 3 elements with numbers 2..4, 3 of them distinct'],
      ['dense', 'sequence play/section says size 2 but has 2 elements with numbers 2..3, 2 of them distinct'],
    ],
  ],
  [
    'a number that was left negative',
    ['UPDATE element SET sequence_number = -1 WHERE element_id = 1'],
    [['dense', 'sequence play/script says size 3 but has 3 elements with numbers -1..3, 3 of them distinct']],
  ],
  [
    'a missing element',
    ['DELETE FROM element WHERE element_id = 8'],
    [['dense', 'sequence play/section says size 2 but has 1 elements with numbers 1..1, 1 of them distinct']],
  ],
  [
    'a wrong size',
    ['UPDATE sequence SET size = 0 WHERE id = 2'],
    [['dense', 'sequence play/section says size 0 but has 2 elements with numbers 1..2, 2 of them distinct']],
  ],
  [
    'an element without a sequence',
    ["INSERT INTO element VALUES (99, 5, 1, 1, 1, 1, '', NULL)"],
    [['dense', 'element 5 belongs to sequence id 99, which does not exist']],
  ],
  [
    'a revision that its changes do not reach',
    ['UPDATE sequence SET revision = 9 WHERE id = 2'],
    [
      [
        'dense',
        'sequence play/section says revision 9 and order revision 1 but its changes end at revision 1',
      ],
    ],
  ],
  [
    'an order revision above the revision',
    ['UPDATE sequence SET order_revision = 7 WHERE id = 2'],
    [
      [
        'dense',
        'sequence play/section says revision 1 and order revision 7 but its changes end at revision 1',
      ],
    ],
  ],
  [
    'a missing version',
    ['DELETE FROM version WHERE version_number = 1'],
    [['versioned', 'element play/script/2 is at version 3 but keeps 1 replaced versions with numbers 2..2']],
  ],
  [
    'a version number that does not fit',
    ['UPDATE version SET version_number = 5 WHERE version_number = 2'],
    [['versioned', 'element play/script/2 is at version 3 but keeps 2 replaced versions with numbers 1..5']],
  ],
  [
    'a version that no longer is the latest',
    ['UPDATE element SET version_number = 2 WHERE element_id = 7'],
    [['versioned', 'element play/section/7 is at version 2 but keeps 0 replaced versions with numbers 0..0']],
  ],
  [
    'a version without an element',
    ["INSERT INTO version VALUES (1, 55, 1, 1, 1, '', NULL)"],
    [['versioned', 'version 1 of element 55 in sequence id 1 has no element']],
  ],
])('it names %s', async (_, statements, violations) => {
  expect(await broken(...statements)).toEqual(violations.map(([promise, message]) => ({ promise, message })));
});

test('two elements with one number, where the constraint has gone', async () => {
  const violations = await broken(
    'CREATE TABLE copy AS SELECT * FROM element',
    'DROP TABLE element',
    'ALTER TABLE copy RENAME TO element',
    'UPDATE element SET sequence_number = 2 WHERE element_id = 3',
  );
  expect(violations).toEqual([
    {
      promise: 'dense',
      message: 'sequence play/script says size 3 but has 3 elements with numbers 1..2, 2 of them distinct',
    },
  ]);
});

test('a ruined database is reported, not recited', async () => {
  const orphans = Array.from({ length: 300 }, (_, id) => `(1, ${id + 100}, 1, 1, 1, '', NULL)`);
  expect(await broken(`INSERT INTO version VALUES ${orphans.join()}`)).toHaveLength(100);
});

test('it can be asked while a transaction is open', async () => {
  const db = await healthy();
  await db.database.writer.transaction(async (tx) => {
    await tx.query('DELETE FROM element WHERE element_id = 8');
    expect((await verifyDatabase(placeOf(db.place))).violations).toEqual([]);
    await tx.query(
      `INSERT INTO element SELECT sequence_id, 8, 2, 1, 1, 1, '', NULL FROM element WHERE element_id = 7`,
    );
  }, 5_000);
  await batchOf(db, [generate(9, { sequence: SCENES })]);
  expect((await verifyDatabase(placeOf(db.place))).violations).toEqual([]);
});
