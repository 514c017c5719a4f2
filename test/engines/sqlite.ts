import { join } from 'node:path';
import { SQLITE } from '../../src/db/engine.ts';
import { openReaderSource, openWriterSource } from '../../src/db/sqlite.ts';
import { connectSqlite } from '../support/sqlite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { namesIn, runOn, type TestEngine } from './engine.ts';

const newPlace = async () => join(await temporaryFolder(), 'sequence.db');

/** A file of its own for each test. */
export const sqlite: TestEngine = {
  engine: SQLITE,
  share: 1,
  emptyPlace: newPlace,
  newPlace,
  openSource: openWriterSource,
  openReader: openReaderSource,
  tables: (place) =>
    namesIn(
      sqlite,
      place,
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
    ),
  async fullScans(source, sql, parameters) {
    const plan = await source.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, parameters);
    return plan
      .map(({ detail }) => detail)
      .filter((step) => /^SCAN (element|version|sequence|e|v|s)\b/.test(step));
  },
  refuseElement: (place, elementId) =>
    runOn(
      sqlite,
      place,
      `CREATE TRIGGER guilty BEFORE INSERT ON element WHEN NEW.element_id = ${elementId}
        BEGIN SELECT RAISE(ABORT, 'guilty'); END`,
    ),
  connect: connectSqlite,
};
