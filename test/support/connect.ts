import type { Connection } from '../engines/engine.ts';
import { connectPostgres } from './postgres/databases.ts';
import { connectSqlite } from './sqlite.ts';

/** Opens a connection of the test's own to a place, of whatever engine. */
export function connectTo(place: string): Promise<Connection> {
  return place.startsWith('postgres:') ? connectPostgres(place) : connectSqlite(place);
}
