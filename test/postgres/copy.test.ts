import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ENGINE } from '../engines/index.ts';
import { startAppOn } from '../support/app.ts';
import { sequenceClient } from '../support/clients.ts';
import { cli, startSource } from '../support/command.ts';
import { connectTo } from '../support/connect.ts';
import { urlOf } from '../support/place.ts';
import { startService } from '../support/service.ts';
import { connectSqlite } from '../support/sqlite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { startTypesense } from '../support/typesense/start.ts';
import { until } from '../support/until.ts';
import { AT, converged, follow } from '../sync/harness.ts';

const LARGEST = 2n ** 53n - 1n;
const REQUEST = '00000000-0000-4000-8000-000000000001';
const CONTENT = {
  nothing: null,
  yes: true,
  no: false,
  numbers: [0, -0.5, 1e300, 5e-324, Number(LARGEST)],
  text: 'ä 漢字 👩‍🚀 \u2028 "\\ \t \u007f',
  '': { 'a.b': [], 'c d': {}, $: [[1, [{}]]] },
};
const TABLES = ['sequence', 'element', 'version', 'change', 'dirty_document', 'sync_target', 'resync'];

async function sqliteFile(): Promise<string> {
  return join(await temporaryFolder(), 'sequence.db');
}

async function copy(from: string, to: string) {
  return await cli(['copy', '--from', urlOf(from), '--to', urlOf(to)]);
}

/** All rows of all tables. */
async function dump(place: string): Promise<unknown> {
  const connection = await connectTo(place);
  try {
    const tables = TABLES.map(async (name) => {
      const rows = await connection.query<object>(`SELECT * FROM ${name}`);
      return [name, rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort()];
    });
    return Object.fromEntries(await Promise.all(tables));
  } finally {
    await connection.close();
  }
}

test('from SQLite to PostgreSQL and back: all rows, and the index and its debts', async () => {
  const double = await startTypesense();
  const env = { TYPESENSE_URL: double.url, TYPESENSE_API_KEY: double.apiKey };
  const file = await sqliteFile();
  const first = await follow(env, {}, file);
  const { client } = first;
  const asked = { ...AT, elementId: LARGEST, comment: 'ä 👩‍🚀', content: CONTENT, requestId: REQUEST };
  const answer = await client.generate(asked);
  await client.batchGenerate({
    ...AT,
    items: Array.from({ length: 1_000 }, (_, id) => ({ elementId: BigInt(id + 1), comment: `${id}` })),
  });
  // More than a page, in rows and in bytes.
  const large = { text: 'ß'.repeat(100_000) };
  for (let id = 2_000n; id < 2_040n; id++) await client.generate({ ...AT, elementId: id, content: large });
  for (let turn = 0; turn < 3; turn++)
    await client.createVersion({ ...AT, elementId: LARGEST, content: turn === 1 ? CONTENT : { turn } });
  await client.generate({ scope: 'book', elementType: 1, elementId: 1n });
  await client.remove({ ...AT, elementId: 300n });
  await converged(file, double);
  // What the index is owed goes along.
  await double.server.refuse();
  await first.sync.resync({});
  await client.move({ ...AT, elementId: 5n, target: { case: 'first', value: true } });
  await first.app.stop();
  const before = await dump(file);
  expect(before).toMatchObject({ resync: [expect.anything()], sync_target: [expect.anything()] });

  const place = await ENGINE.emptyPlace();
  const copied = await copy(file, place);
  expect(copied).toMatchObject({ code: 0, stderr: '' });
  expect(copied.stdout).toContain(': 2 sequences, 1041 elements, 1044 versions\n');
  expect(await dump(place)).toEqual(before);

  const back = await sqliteFile();
  expect(await copy(place, back)).toMatchObject({ code: 0, stderr: '' });
  expect(await dump(back)).toEqual(before);

  await double.server.open();
  for (const copy of [place, back]) {
    const app = await follow(env, {}, copy);
    await converged(copy, double);
    expect(await app.client.generate(asked)).toEqual(answer);
    const read = await app.client.getElement({ ...AT, elementId: LARGEST });
    expect(read.element).toMatchObject({ sequenceNumber: 2, versionNumber: 4, content: { turn: 2 } });
    const version = { ...AT, elementId: LARGEST, versionNumber: 3 };
    expect((await app.client.getVersion(version)).version!.content).toEqual(CONTENT);
    // A sequence that is new gets an id of its own.
    for (const scope of ['new', 'newer']) await app.client.generate({ ...AT, scope, elementId: 1n });
    const listed = await app.client.getSequence({ scope: 'book', elementType: 1 });
    expect(listed).toMatchObject({ size: 1 });
    await app.client.remove({ ...AT, scope: 'new', elementId: 1n });
    await app.client.remove({ ...AT, scope: 'newer', elementId: 1n });
    await converged(copy, double);
    await app.app.stop();
  }
});

test('an empty database, and one that was never used by a service', async () => {
  const file = await sqliteFile();
  expect((await cli(['migrate'], { DATABASE_URL: urlOf(file) })).code).toBe(0);
  const place = await ENGINE.newPlace();
  expect(await copy(file, place)).toMatchObject({ code: 0, stderr: '' });
  const { url } = await startAppOn(place);
  await sequenceClient(url).generate({ ...AT, elementId: 1n });
});

test('a copy that is killed has left nothing, and is begun again', async () => {
  const file = await sqliteFile();
  const { app, url } = await startAppOn(file);
  await sequenceClient(url).generate({ ...AT, elementId: 1n });
  await app.stop();
  const place = await ENGINE.newPlace();
  const connection = await ENGINE.connect(place);
  onTestFinished(() => connection.close());
  await connection.query(
    `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20); RETURN NEW; END'`,
  );
  await connection.query('CREATE TRIGGER slow BEFORE INSERT ON change FOR EACH ROW EXECUTE FUNCTION wait()');
  const running = await startSource('cli.ts', { args: ['copy', '--from', urlOf(file), '--to', place] });
  const ended = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'PgSleep'`;
  const asleep = ended.replace('pg_terminate_backend(pid)', 'pid');
  await until('it copies', async () => (await connection.query(asleep)).length > 0);
  running.child.kill('SIGKILL');
  await running.ended;
  await connection.query(ended);
  await connection.query('DROP TRIGGER slow ON change');
  expect(await connection.query('SELECT * FROM sequence')).toEqual([]);
  expect(await copy(file, place)).toMatchObject({ code: 0, stderr: '' });
  expect(await dump(place)).toEqual(await dump(file));
});

test('refusals leave both as they are', async () => {
  const running = await startService();
  const empty = await ENGINE.newPlace();
  const refused = async (from: string, to: string, message: RegExp) => {
    const before = [await dump(from), await dump(to)];
    const { code, stdout, stderr } = await copy(from, to);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect([await dump(from), await dump(to)]).toEqual(before);
  };
  await sequenceClient(running.url).generate({ ...AT, elementId: 1n });
  await refused(running.file, empty, /^another process is already writing to/);
  running.child.kill('SIGTERM');
  await running.ended;

  const used = await ENGINE.newPlace();
  const other = await startService({ env: { DATABASE_URL: used } });
  await sequenceClient(other.url).generate({ ...AT, elementId: 1n });
  await refused(running.file, used, / is not empty: there are rows in sequence\n$/);
  await refused(used, empty, /^services are connected to .*; stop them first\n$/);

  const damaged = await connectSqlite(running.file);
  await damaged.query('UPDATE sequence SET size = 7');
  await damaged.close();
  await refused(running.file, empty, /breaks its promises: sequence play\/section says size 7 but has 1/);

  expect(await cli(['copy', '--from', urlOf(running.file)])).toEqual({
    code: 2,
    stdout: '',
    stderr: '"cli copy" needs --to\n',
  });
  const wrong = await cli(['copy', '--from', 'mysql://a', '--to', empty]);
  expect(wrong).toMatchObject({ code: 1, stdout: '' });
  expect(wrong.stderr).toMatch(/^ {2}- --from must be a URL/m);
});
