import { connectTo } from '../support/connect.ts';

interface Row {
  scope: string;
  type: string;
  element: number;
  version: number;
  number: number;
  comment: string;
  content: string | null;
  time: number;
  latest: number;
}

/** The documents that a database implies, worked out without the service's code, in order of id. */
export async function impliedDocuments(file: string, serviceName = 'sequence-service') {
  const rows = await all<Row>(
    file,
    `SELECT s.scope, s.element_type AS type, e.element_id AS element, e.version_number AS version,
       e.sequence_number AS number, e.comment, e.content, e.update_time AS time, 1 AS latest
     FROM element e JOIN sequence s ON s.id = e.sequence_id
     UNION ALL
     SELECT s.scope, s.element_type, v.element_id, v.version_number, v.sequence_number, v.comment, v.content,
       v.create_time, 0
     FROM version v JOIN sequence s ON s.id = v.sequence_id`,
  );
  return inOrder(
    rows.map((row) => {
      const content = row.content === null ? undefined : (JSON.parse(row.content) as unknown);
      return {
        id: `${row.scope}_${row.type}_${row.element}_${row.version}`,
        scope: row.scope,
        element_type: row.type,
        element_id: row.element,
        sequence_number: row.number,
        version_number: row.version,
        comment: row.comment,
        ...(content === undefined ? {} : { content }),
        text: leaves(content).join('\n'),
        is_latest: row.latest === 1,
        service_name: serviceName,
        updated_at: Math.floor(row.time / 1000),
      };
    }),
  );
}

/** The documents of an index, in order of id, without the generation, which the database does not imply. */
export function heldDocuments(documents: readonly object[]) {
  return inOrder(
    documents.map((document) => {
      const { sync_generation: _, ...rest } = document as { id: string; sync_generation: unknown };
      return rest;
    }),
  );
}

/** How many documents the index has not acknowledged. */
export async function dirtyCount(file: string): Promise<number> {
  const [row] = await all<{ n: number }>(file, 'SELECT count(*) AS n FROM dirty_document');
  return row!.n;
}

function inOrder<T extends { id: string }>(documents: T[]): T[] {
  return documents.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function leaves(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(leaves);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [];
}

/** Rows of a query on a connection of its own. */
export async function all<T>(place: string, sql: string): Promise<T[]> {
  const connection = await connectTo(place);
  try {
    return await connection.query<T>(sql);
  } finally {
    await connection.close();
  }
}
