import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import pg from 'pg';
import { ElementType, SequenceService } from '../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../gen/fountain/sequence/v1/sync_pb.js';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config.ts';
import { startPostgres } from '../test/support/postgres/server.ts';
import { TypesenseDouble } from '../test/support/typesense/typesense-double.ts';

// What NOTIFY costs, and what it gives, on a PostgreSQL of its own.
// 1. Commits a second of 8 connections: without NOTIFY, with one in each transaction, and with 25 a second beside them.
// 2. From a write at a replica that only serves until its caller's WaitForSync returns: with hints, and by polling alone.
// node bench/notify.ts [rounds] [ms a round]

const ROUNDS = Number(process.argv[2] ?? 3);
const ROUND_MS = Number(process.argv[3] ?? 1_500);
const CONNECTIONS = 8;
/** Writes that do not count. */
const WARM_UP = 3;
const AT = { scope: 'notify', elementType: ElementType.SCRIPT };
const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const server = await startPostgres();
const url = server.url();

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

const setup = await connect();
await setup.query('CREATE TABLE n (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text)');
const clients = await Promise.all(Array.from({ length: CONNECTIONS }, connect));
const listener = await connect();
await listener.query('LISTEN bench');
const INSERT = `INSERT INTO n (t) VALUES ('x')`;
const round = async (sql: string, beside: boolean) => {
  let over = false;
  let commits = 0;
  const work = clients.map(async (client) => {
    for (; !over; commits++) await client.query(sql);
  });
  const hints = (async () => {
    while (beside && !over) {
      await setup.query('NOTIFY bench');
      await sleep(40);
    }
  })();
  await sleep(ROUND_MS);
  over = true;
  await Promise.all([...work, hints]);
  return (commits * 1000) / ROUND_MS;
};
const kinds = [
  ['no NOTIFY', INSERT, false],
  ['NOTIFY in each transaction', `WITH i AS (${INSERT}) SELECT pg_notify('bench', '')`, false],
  ['25 NOTIFY a second beside', INSERT, true],
] as const;
await round(INSERT, false);
const rates = kinds.map((): number[] => []);
for (let count = 0; count < ROUNDS; count++)
  for (const [index, [, sql, beside]] of kinds.entries()) rates[index]!.push(await round(sql, beside));
for (const [index, [name]] of kinds.entries())
  console.log(`${name}: ${median(rates[index]!).toFixed(0)} commits/s (${CONNECTIONS} connections)`);
for (const client of [listener, ...clients]) await client.end();

const double = new TypesenseDouble();
await double.server.open();
const env = {
  PORT: '0',
  LOG_LEVEL: 'silent',
  DATABASE_URL: url,
  MIGRATE: 'auto',
  TYPESENSE_URL: double.url,
  TYPESENSE_API_KEY: 'typesense-key',
};
let id = 0;
/** From a write to its WaitForSync, ms, `times` times, on two replicas of their own. */
async function follow(times: number): Promise<number[]> {
  const sender = createApp(loadConfig(env));
  await sender.start();
  const only = createApp(loadConfig({ ...env, SYNC_WORKER: 'off' }));
  const { port } = await only.start();
  const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: '1.1' });
  const sequences = createClient(SequenceService, transport);
  const sync = createClient(SyncService, transport);
  const taken: number[] = [];
  for (let count = -WARM_UP; count < times; count++) {
    const { revision } = await sequences.generate({ ...AT, elementId: BigInt(++id) });
    const started = performance.now();
    await sync.waitForSync({ ...AT, revision });
    if (count >= 0) taken.push(performance.now() - started);
    // Not in step with what looks every second, or every five.
    await sleep(Math.random() * 1_000);
  }
  await only.stop();
  await sender.stop();
  return taken;
}
const report = (what: string, taken: readonly number[]) =>
  console.log(
    `${what}: from a write to its WaitForSync, median ${median(taken).toFixed(0)} ms, most ${Math.max(...taken).toFixed(0)} ms of ${taken.length}`,
  );
report('hints', await follow(40));
// The service asks for pg_notify by its bare name: this one does nothing, and comes first.
await setup.query('CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE sql AS $$ SELECT $$');
const { rows } = await setup.query<{ name: string }>('SELECT current_database() AS name');
await setup.query(`ALTER DATABASE "${rows[0]!.name}" SET search_path = public, pg_catalog`);
report('polling alone', await follow(20));
await setup.end();
await double.server.stop();
await server.stop();
