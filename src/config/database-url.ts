/** DATABASE_URL: from text to the engine and the file that it means. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault, type Kind, type ReadContext } from './kinds.ts';
import type { DatabaseUrl } from './types.ts';

const FORMS = 'sqlite:///relative/path.db or sqlite:////absolute/path.db';

/**
 * `sqlite:///./file.db` (relative to the working directory), `sqlite:////abs/file.db`, `sqlite:file.db`; a driver
 * after a plus sign (`sqlite+aiosqlite:`), as SQLAlchemy writes it, is accepted and ignored. Messages do not repeat
 * the text: a URL may carry a password.
 */
export const databaseUrl: Kind<DatabaseUrl> = {
  range: `a SQLite URL: ${FORMS}`,
  parse(text, context) {
    const [, scheme, rest] = /^([a-z][a-z0-9.-]*)(?:\+[a-z0-9_]+)?:(.*)$/is.exec(text) ?? [];
    if (scheme === undefined || rest === undefined) {
      throw new Fault(`must be ${databaseUrl.range}; it has no scheme`);
    }
    if (/^postgres(ql)?$/i.test(scheme)) {
      throw new Fault(`must be ${databaseUrl.range}; this release serves SQLite only, not PostgreSQL`);
    }
    if (scheme.toLowerCase() !== 'sqlite') {
      throw new Fault(`must be ${databaseUrl.range}; this release serves SQLite only, not ${scheme}`);
    }
    return { engine: 'sqlite', file: sqliteFile(rest, context) };
  },
  format: ({ file }) => `sqlite:///${file.replace(/[%?#@\s]|\p{Cc}/gu, percent)}`,
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
