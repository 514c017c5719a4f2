import assert from 'node:assert/strict';
import type { TypesenseDouble } from '../../test/support/typesense/typesense-double.ts';
import type { Fleet } from './fleet.ts';
import type { Ledger } from './ledger.ts';
import { Session } from './session.ts';

const COLLECTION = 'sequence_documents';
const AT_A_TIME = 16;

interface ElementRow {
  readonly elementId: string;
  readonly sequenceNumber: number;
  readonly versionNumber: number;
  readonly comment?: string;
}

/** A document, as far as it follows from the reads. */
interface Implied {
  readonly sequence_number: number;
  readonly comment: string;
  readonly is_latest: boolean;
}

/**
 * The promises at the end: the service holds what the ledgers say (1, 2, 3, 4), and the index holds a document for
 * each of its versions, and no other (5).
 *
 * @returns how many elements and documents were compared
 */
export async function compareAll(
  fleet: Pick<Fleet, 'url'>,
  ledgers: readonly Ledger[],
  double: Pick<TypesenseDouble, 'documents'>,
): Promise<{ elements: number; documents: number }> {
  const session = new Session(await fleet.url(0), 'connect');
  const implied = new Map<string, Implied>();
  let elements = 0;
  try {
    for (const ledger of ledgers) elements += await compareOne(session, ledger, implied);
  } finally {
    session.close();
  }
  const held = double.documents(COLLECTION);
  for (const document of held) {
    const id = String(document['id']);
    const expected = implied.get(id);
    assert.ok(expected, `the index holds ${id}, which the database does not imply`);
    for (const [name, value] of Object.entries(expected))
      assert.equal(plain(document[name]), value, `${name} of ${id} in the index`);
    implied.delete(id);
  }
  assert.deepEqual([...implied.keys()].slice(0, 10), [], 'documents that the index lacks');
  return { elements, documents: held.length };
}

async function compareOne(
  session: Session,
  { sequence, revision, elements }: Ledger,
  implied: Map<string, Implied>,
): Promise<number> {
  const counters = await read(session, 'GetSequence', sequence);
  const name = `${sequence.scope}/${sequence.elementType}`;
  assert.equal(Number(counters['revision'] ?? 0), revision, `the revision of ${name}`);
  assert.equal(counters['size'] ?? 0, elements.length, `the size of ${name}`);
  const rows = await readAll<ElementRow>(session, 'ListElements', 'elements', sequence);
  assert.deepEqual(
    rows.map((row) => [row.sequenceNumber, Number(row.elementId), row.versionNumber, row.comment]),
    elements.map(({ id, comments }, index) => [index + 1, id, comments.length, comments.at(-1)]),
    `the elements of ${name}`,
  );
  const type = TYPE_NAMES[sequence.elementType]!;
  const versioned = elements.filter(({ comments }) => comments.length > 1);
  for (let first = 0; first < versioned.length; first += AT_A_TIME)
    await Promise.all(
      versioned.slice(first, first + AT_A_TIME).map(async ({ id, comments }) => {
        const versions = await readAll<ElementRow>(session, 'ListVersions', 'versions', {
          ...sequence,
          elementId: id,
        });
        assert.deepEqual(
          versions.map((version) => [version.versionNumber, version.comment]),
          comments.map((comment, index) => [index + 1, comment]).toReversed(),
          `the versions of ${name}/${id}`,
        );
        for (const version of versions.slice(1))
          implied.set(`${sequence.scope}_${type}_${id}_${version.versionNumber}`, {
            sequence_number: version.sequenceNumber,
            comment: version.comment ?? '',
            is_latest: false,
          });
      }),
    );
  for (const row of rows)
    implied.set(`${sequence.scope}_${type}_${row.elementId}_${row.versionNumber}`, {
      sequence_number: row.sequenceNumber,
      comment: row.comment ?? '',
      is_latest: true,
    });
  return rows.length;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  ELEMENT_TYPE_SECTION: 'section',
  ELEMENT_TYPE_SCRIPT: 'script',
  ELEMENT_TYPE_SPOKEN_WORD: 'spokenWord',
};

async function read(session: Session, method: string, body: object): Promise<Record<string, unknown>> {
  const said = await session.call(method, body);
  assert.ok('body' in said, `${method} was refused: ${JSON.stringify(said)}`);
  return said.body;
}

async function readAll<Row>(session: Session, method: string, field: string, query: object): Promise<Row[]> {
  const rows: Row[] = [];
  for (let pageToken = ''; ; ) {
    const page = await read(session, method, { ...query, pageSize: 1_000, pageToken });
    rows.push(...((page[field] ?? []) as Row[]));
    pageToken = String(page['nextPageToken'] ?? '');
    if (pageToken === '') return rows;
  }
}

/** The double keeps numbers as their digits. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? Number(String(value)) : value;
}
