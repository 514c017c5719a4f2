import type { DataSource } from 'typeorm';
import type { Engine } from '../../src/db/engine.ts';

/** What a test needs of an engine: databases of its own, and a look into them beside the service's code. */
export interface TestEngine {
  readonly engine: Engine;
  /** The share of their work that heavy tests do on it, where LONG=1 does not ask for all. */
  readonly share: number;
  /** The place of a new database without a table; it goes with the test. */
  emptyPlace(): Promise<string>;
  /** The place of a new database with the tables of this release; it goes with the test. */
  newPlace(): Promise<string>;
  /** Opens a place as migrations do. */
  openSource(place: string): Promise<DataSource>;
  /** Opens a place as those do that serve reads. */
  openReader(place: string): Promise<DataSource>;
  /** The service's tables, asked of the system's. */
  tables(place: string): Promise<string[]>;
  /** The steps of a statement's plan that read a whole table of elements or versions. */
  fullScans(source: DataSource, sql: string, parameters: unknown[]): Promise<string[]>;
  /** Makes the database refuse an element by a constraint. */
  refuseElement(place: string, elementId: number): Promise<void>;
  /** Opens a connection of the test's own. */
  connect(place: string): Promise<Connection>;
}

/** A connection beside the service's. */
export interface Connection {
  /** Runs a statement, its parameters written `?`. */
  query<Row>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** Runs one statement on a connection of its own. */
export async function runOn(engine: TestEngine, place: string, sql: string): Promise<void> {
  const connection = await engine.connect(place);
  try {
    await connection.query(sql);
  } finally {
    await connection.close();
  }
}

/** The names that a query of a place answers, in order. */
export async function namesIn(engine: TestEngine, place: string, sql: string): Promise<string[]> {
  const connection = await engine.connect(place);
  try {
    return (await connection.query<{ name: string }>(sql)).map(({ name }) => name).sort();
  } finally {
    await connection.close();
  }
}
