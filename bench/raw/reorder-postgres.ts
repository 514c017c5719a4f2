import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { shuffled } from './shuffled.ts';

// The same on PostgreSQL, in one statement: only changed rows, numbers unique at its end. Prints milliseconds.
const { url, times, elements, marks } = JSON.parse(process.argv[2]!) as {
  url: string;
  times: number;
  elements: number;
  marks: boolean;
};
const RENUMBER = `UPDATE element e SET sequence_number = o.number
  FROM unnest($2::bigint[]) WITH ORDINALITY o(id, number)
  WHERE e.sequence_id = $1 AND e.element_id = o.id AND e.sequence_number <> o.number`;
const MARK = `INSERT INTO dirty_document (sequence_id, element_id, version_number, mark, since_revision,
    wanted_revision, since_time, priority, attempts, next_try_time)
  SELECT $1, id, 1, $3, $4, $4, $5, 0, 0, 0 FROM unnest($2::bigint[]) AS o(id)
  ON CONFLICT (sequence_id, element_id, version_number) DO UPDATE SET mark = excluded.mark,
    wanted_revision = excluded.wanted_revision, attempts = 0, next_try_time = 0, error = NULL`;
const CHANGE = `INSERT INTO change (sequence_id, revision, change_time, kind, comment, caller, batch_token)
  VALUES ($1, $2, $3, 'reorder', '', '', $4)`;
const SEQUENCE =
  'UPDATE sequence SET revision = $2, order_revision = $2, last_change_time = $3 WHERE id = $1';

const client = new Client({ connectionString: url });
await client.connect();
const named = (name: string, text: string, values: unknown[]) => client.query({ name, text, values });
const { rows } = await client.query<{ id: number; revision: string }>(
  'SELECT id, revision FROM sequence LIMIT 1',
);
const { id } = rows[0]!;
let revision = Number(rows[0]!.revision);
const taken: number[] = [];
for (let time = 0; time < times; time++) {
  const order = shuffled(elements);
  const started = performance.now();
  revision += 1;
  const now = Date.now() * 1000 + time;
  const token = randomUUID();
  await client.query('BEGIN');
  await named('renumber', RENUMBER, [id, order]);
  if (marks) await named('mark', MARK, [id, order, token, revision, now]);
  await named('change', CHANGE, [id, revision, now, token]);
  await named('sequence', SEQUENCE, [id, revision, now]);
  await client.query('COMMIT');
  taken.push(performance.now() - started);
}
await client.end();
process.stdout.write(JSON.stringify(taken));
