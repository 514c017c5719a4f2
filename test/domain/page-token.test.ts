import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvalidFieldError } from '../../src/domain/errors.ts';
import { decodePageToken, encodePageToken } from '../../src/domain/page-token.ts';
import { Reader } from '../../src/domain/reader.ts';
import {
  batchGenerate,
  batchOf,
  createVersion,
  generate,
  openTestDatabase,
  remove,
  SCENES,
  SCRIPTS,
} from './harness.ts';

const query = fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean()), { maxLength: 5 });
const cursor = fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 2 });

test('a token gives its cursor back to its query', () => {
  fc.assert(
    fc.property(query, cursor, (query, cursor) => {
      const token = encodePageToken(query, cursor);
      expect(token).toMatch(/^[A-Za-z0-9_-]{1,256}$/);
      expect(decodePageToken(query, token, cursor.length)).toEqual(cursor);
    }),
  );
});

test('a token is refused by another query, and by one whose cursor has another length', () => {
  fc.assert(
    fc.property(query, query, cursor, (query, other, cursor) => {
      fc.pre(JSON.stringify(query) !== JSON.stringify(other));
      const token = encodePageToken(query, cursor);
      expect(decodePageToken(other, token, cursor.length)).toBeUndefined();
      expect(decodePageToken(query, token, cursor.length + 1)).toBeUndefined();
    }),
  );
});

test('whatever else is refused, and never throws', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64url');
  const good = JSON.parse(Buffer.from(encodePageToken(['q'], [1]), 'base64url').toString()) as unknown[];
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.base64String(),
    fc.json().map(base64),
    fc
      .constantFrom(-1, 0.5, '1', null, 2 ** 53, 1e300, [1], undefined)
      .map((part) => base64(JSON.stringify([good[0], part]))),
    fc.constant(base64(JSON.stringify([...good, 1]))),
    fc.constant(`${encodePageToken(['q'], [1])}=`),
    fc.constant('A'.repeat(100_000)),
  );
  fc.assert(
    fc.property(anything, (token) => {
      expect(decodePageToken(['q'], token, 1)).toBeUndefined();
    }),
  );
});

test('a token belongs to everything of its query but the page size', async () => {
  const db = await openTestDatabase();
  const reader = new Reader(db.database.reads);
  await batchOf(db, [
    batchGenerate([1, 2, 3, 4]),
    batchGenerate([1, 2, 3, 4], { sequence: SCENES }),
    createVersion(1),
    createVersion(1),
    createVersion(2),
  ]);
  const page = { pageSize: 1, pageToken: '', includeContent: false };
  const { nextPageToken: elements } = await reader.listElements(SCRIPTS, 2, page);
  const more = await reader.listElements(SCRIPTS, 2, { ...page, pageSize: 9, pageToken: elements });
  expect(more.elements.map(({ elementId }) => elementId)).toEqual([3, 4]);
  const { nextPageToken: versions } = await reader.listVersions(SCRIPTS, 1, page);
  const older = await reader.listVersions(SCRIPTS, 1, { ...page, pageSize: 9, pageToken: versions });
  expect(older.versions.map(({ versionNumber }) => versionNumber)).toEqual([2, 1]);

  const withContent = { ...page, includeContent: true };
  const foreign = [
    () => reader.listElements(SCENES, 2, { ...page, pageToken: elements }),
    () => reader.listElements(SCRIPTS, 1, { ...page, pageToken: elements }),
    () => reader.listElements(SCRIPTS, 2, { ...withContent, pageToken: elements }),
    () => reader.listElements(SCRIPTS, 2, { ...page, pageToken: versions }),
    () => reader.listVersions(SCRIPTS, 1, { ...page, pageToken: elements }),
    () => reader.listVersions(SCRIPTS, 2, { ...page, pageToken: versions }),
    () => reader.listVersions(SCENES, 1, { ...page, pageToken: versions }),
    () => reader.listVersions(SCRIPTS, 1, { ...withContent, pageToken: versions }),
  ];
  for (const read of foreign) await expect(read()).rejects.toThrow(InvalidFieldError);

  // Another life: the versions that the token was made for are gone.
  await batchOf(db, [remove(1), generate(1), createVersion(1), createVersion(1)]);
  await expect(reader.listVersions(SCRIPTS, 1, { ...page, pageToken: versions })).rejects.toThrow(
    'page_token must be',
  );
});
