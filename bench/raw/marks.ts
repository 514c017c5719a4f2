import { randomUUID } from 'node:crypto';
import { INSERT_CHANGES, INSERT_ELEMENTS, MARK, UPDATE_SEQUENCE } from './sql.ts';
import { RawSqlite } from './sqlite.ts';

// Batches of Generates with the bare driver, with or without their marks; prints the microseconds of a row.
const { file, marks, batch, seconds } = JSON.parse(process.argv[2]!) as MarksRun;
export interface MarksRun {
  readonly file: string;
  readonly marks: boolean;
  readonly batch: number;
  readonly seconds: number;
}

const database = await RawSqlite.open(file);
const [sequence] = await database.all<{ id: number; size: number; revision: number }>(
  'SELECT id, size, revision FROM sequence LIMIT 1',
);
let { id, size, revision } = sequence!;
let rows = 0;
const started = performance.now();
while (performance.now() - started < seconds * 1000) {
  const token = randomUUID();
  const time = Date.now() * 1000;
  const numbers = Array.from({ length: batch }, () => [++size, ++revision] as const);
  const elements = numbers.map(([number]) => [id, 1e9 + number, number, time]);
  const changes = numbers.map(([, each]) => [id, each, time]);
  const dirty = numbers.map(([number, each]) => [id, 1e9 + number, each, time]);
  await database.transaction([
    [INSERT_ELEMENTS, JSON.stringify(elements)],
    ...(marks ? [[MARK, JSON.stringify(dirty), token] as const] : []),
    [INSERT_CHANGES, JSON.stringify(changes), 'generate', token],
    [UPDATE_SEQUENCE, id, size, revision, JSON.stringify([time])],
  ]);
  rows += batch;
}
const perRow = ((performance.now() - started) * 1000) / rows;
process.stdout.write(JSON.stringify({ microseconds: perRow }));
