import type { DatabaseConfig } from '../../src/config.ts';
import { loadConfig } from '../../src/config.ts';

/** The DATABASE_URL of a place: of a SQLite file, or it is one already. */
export function urlOf(place: string): string {
  return /^[a-z]+:/.test(place) ? place : `sqlite:///${place}`;
}

/** A place as the service is told it. */
export function placeOf(place: string): DatabaseConfig {
  return loadConfig({ DATABASE_URL: urlOf(place), MIGRATE: 'auto' }).database;
}
