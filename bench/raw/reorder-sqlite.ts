import { randomUUID } from 'node:crypto';
import { shuffled } from './shuffled.ts';
import { FLIP, INSERT_CHANGES, MARK, NEGATE, UPDATE_SEQUENCE } from './sql.ts';
import { RawSqlite } from './sqlite.ts';

// A full random permutation with the bare driver: what the service has to write for one Reorder. Prints milliseconds.
const { file, elements, times, marks } = JSON.parse(process.argv[2]!) as {
  file: string;
  elements: number;
  times: number;
  marks: boolean;
};
const database = await RawSqlite.open(file);
const [sequence] = await database.all<{ id: number; revision: number }>(
  'SELECT id, revision FROM sequence LIMIT 1',
);
let { id, revision } = sequence!;
const taken: number[] = [];
for (let time = 0; time < times; time++) {
  const order = shuffled(elements);
  const started = performance.now();
  revision += 1;
  const now = Date.now() * 1000 + time;
  const dirty = () => JSON.stringify(order.map((element) => [id, element, revision, now]));
  await database.transaction([
    [NEGATE, id, JSON.stringify(order.map((element, index) => [element, index + 1]))],
    [FLIP, id],
    ...(marks ? [[MARK, dirty(), randomUUID()] as const] : []),
    [INSERT_CHANGES, JSON.stringify([[id, revision, now]]), 'reorder', randomUUID()],
    [UPDATE_SEQUENCE, id, elements, revision, JSON.stringify([now])],
  ]);
  taken.push(performance.now() - started);
}
process.stdout.write(JSON.stringify(taken));
