/** DATABASE_URL: from text to the engine and the place that it means. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault, type Kind, type ReadContext } from './kinds.ts';
import { formatPostgresUrl, POSTGRES_FORM, parsePostgresUrl } from './postgres-url.ts';
import type { DatabaseUrl } from './types.ts';

const FORMS = 'sqlite:///relative/path.db or sqlite:////absolute/path.db';

/**
 * `sqlite:///./file.db` (relative to the working directory), `sqlite:////abs/file.db`, `sqlite:file.db`; a driver
 * after a plus sign (`sqlite+aiosqlite:`), as SQLAlchemy writes it, is accepted and ignored. Or `postgres://…`, as
 * libpq reads it. Messages do not repeat the text: a URL may carry a password.
 */
export const databaseUrl: Kind<DatabaseUrl> = {
  range: `a URL: ${FORMS}; or ${POSTGRES_FORM}`,
  parse(text, context) {
    const [, scheme, rest] = /^([a-z][a-z0-9.-]*)(?:\+[a-z0-9_]+)?:(.*)$/is.exec(text) ?? [];
    if (scheme === undefined || rest === undefined) {
      throw new Fault(`must be ${databaseUrl.range}; it has no scheme`);
    }
    if (/^postgres(ql)?$/i.test(scheme)) return parsePostgresUrl(`postgres:${rest}`, context);
    if (scheme.toLowerCase() !== 'sqlite') {
      throw new Fault(`must be ${databaseUrl.range}; there is no engine for ${scheme}`);
    }
    return { engine: 'sqlite', file: sqliteFile(rest, context) };
  },
  format: (url) =>
    url.engine === 'postgres'
      ? formatPostgresUrl(url)
      : `sqlite:///${url.file.replace(/[%?#@\s]|\p{Cc}/gu, percent)}`,
};

/** A database's place as messages name it: without user and password. */
export function describeDatabase(url: DatabaseUrl): string {
  return url.engine === 'sqlite' ? url.file : `${url.database} on ${url.host}:${url.port}`;
}

/** The path of a file that is read at the start, or empty; relative to the working directory. */
export const optionalFile: Kind<string> = {
  range: 'the path of a file, or empty',
  parse(text, { cwd }) {
    if (text.includes('\0')) throw new Fault(`must be ${optionalFile.range}`);
    return text === '' ? '' : resolve(cwd, text);
  },
  format: String,
};

/** What MIGRATE says; empty leaves it to the engine. */
export const migrateMode: Kind<'' | 'auto' | 'check'> = {
  range: 'auto or check; empty: auto for SQLite, check for PostgreSQL',
  parse(text) {
    const mode = text.toLowerCase();
    if (mode !== '' && mode !== 'auto' && mode !== 'check') throw new Fault(`must be ${migrateMode.range}`);
    return mode;
  },
  format: String,
};

function sqliteFile(rest: string, { cwd }: ReadContext): string {
  if (/[?#]/.test(rest)) {
    throw new Fault('must not carry options after ? or #; in a file name, write them as %3F and %23');
  }
  const path = decode(pathOf(rest));
  if (path === '')
    throw new Fault(`must name a file, as in ${FORMS}; without one nothing survives a restart`);
  if (path.includes(':memory:')) {
    throw new Fault(
      `must name a file, as in ${FORMS}; a database in memory (:memory:) would not survive a restart`,
    );
  }
  if (path.includes('\0') || !path.isWellFormed()) {
    throw new Fault('must name a file; NUL and unpaired surrogates cannot stand in its name');
  }
  if (/(^|[\\/])\.{0,2}$/.test(path)) throw new Fault(`must name a file, as in ${FORMS}; it names a folder`);
  const file = resolve(cwd, path);
  checkPlace(file);
  return file;
}

function pathOf(rest: string): string {
  if (rest.startsWith('///')) return rest.slice(3);
  if (rest === '//') return '';
  if (rest.startsWith('//')) {
    throw new Fault(`must be ${databaseUrl.range}; after two slashes a host is named, and SQLite has none`);
  }
  return rest;
}

function checkPlace(file: string): void {
  try {
    const found = statSync(file);
    if (found.isFile()) return;
    const what = found.isDirectory() ? 'a folder' : 'not a regular file';
    throw new Fault(`must name a file; ${JSON.stringify(file)} is ${what}`);
  } catch (error) {
    if (error instanceof Fault) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT') return;
    throw new Fault(`must name a file that can be reached; ${JSON.stringify(file)} cannot (${code})`);
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new Fault('must have valid percent-encoding; a percent sign itself is written %25');
  }
}

// encodeURIComponent leaves none of the characters that come here as they are.
function percent(character: string): string {
  return encodeURIComponent(character);
}
