import type { DataSource } from 'typeorm';
import type { PostgresUrl } from '../../src/config.ts';
import { POSTGRES } from '../../src/db/engine.ts';
import { openPostgresSource } from '../../src/db/postgres.ts';
import { placeOf } from '../support/place.ts';
import { connectPostgres, newDatabase, TEMPLATE } from '../support/postgres/databases.ts';
import { namesIn, runOn, type TestEngine } from './engine.ts';

/** A database of its own for each test, on one PostgreSQL for all. */
export const postgres: TestEngine = {
  engine: POSTGRES,
  share: 0.25,
  emptyPlace: () => newDatabase('template0'),
  newPlace: () => newDatabase(TEMPLATE),
  openSource: (place) => open(place, false),
  openReader: (place) => open(place, true),
  tables: (place) =>
    namesIn(postgres, place, `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`),
  async fullScans(source, sql, parameters) {
    await source.query('ANALYZE');
    const plan = await source.query<Record<'QUERY PLAN', string>[]>(`EXPLAIN ${sql}`, parameters);
    // A table of one sequence is one page, which is read as a whole.
    return plan
      .map((row) => row['QUERY PLAN'])
      .filter((step) => /Seq Scan on (element|version)\b/.test(step));
  },
  refuseElement: (place, elementId) =>
    runOn(postgres, place, `ALTER TABLE element ADD CONSTRAINT guilty CHECK (element_id <> ${elementId})`),
  connect: connectPostgres,
};

function open(place: string, readOnly: boolean): Promise<DataSource> {
  const pool = { size: 2, name: 'test', statementTimeoutMs: 60_000, lockTimeoutMs: 0, readOnly };
  return openPostgresSource({ url: placeOf(place).url as PostgresUrl, sslCa: '' }, pool);
}
