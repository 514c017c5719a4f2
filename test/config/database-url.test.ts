import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeConfig, loadConfig } from '../../src/config.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-'));
  mkdirSync(join(cwd, 'folder'));
  writeFileSync(join(cwd, 'file.db'), '');
});
afterAll(() => rmSync(cwd, { recursive: true }));

const fileOf = (text: string) => loadConfig({ DATABASE_URL: text }, { cwd }).database.url.file;

test.each([
  ['sqlite:///./database.db', 'database.db'],
  ['sqlite:///database.db', 'database.db'],
  ['sqlite:///data/../x.db', 'x.db'],
  ['sqlite:relative.db', 'relative.db'],
  ['SQLite:./relative.db', 'relative.db'],
  ['sqlite+aiosqlite:///./database.db', 'database.db'],
  ['sqlite:///my%20book%25%3F.db', 'my book%?.db'],
  ['sqlite:///file.db', 'file.db'],
  ['sqlite:///not/there/yet.db', 'not/there/yet.db'],
])('%s is %s in the working directory', (text, file) => {
  expect(fileOf(text)).toBe(join(cwd, file));
});

test.each([
  ['sqlite:////var/lib/x.db', '/var/lib/x.db'],
  ['sqlite:/var/lib/x.db', '/var/lib/x.db'],
])('%s is %s', (text, file) => {
  expect(fileOf(text)).toBe(file);
});

test.each([
  ['sqlite:///:memory:', 'would not survive a restart'],
  ['sqlite://', 'nothing survives a restart'],
  ['sqlite:///', 'nothing survives a restart'],
  ['sqlite:', 'nothing survives a restart'],
  ['sqlite:///file::memory:', 'would not survive a restart'],
  ['sqlite:///x.db?mode=memory', 'must not carry options'],
  ['sqlite:///x.db#y', 'must not carry options'],
  ['sqlite://x.db', 'a host is named'],
  ['sqlite:///folder', 'is a folder'],
  ['sqlite:///folder/', 'names a folder'],
  ['sqlite:///.', 'names a folder'],
  ['sqlite:////dev/null', 'not a regular file'],
  ['sqlite:///file.db/x.db', 'cannot (ENOTDIR)'],
  [`sqlite:///${'x'.repeat(300)}`, 'cannot (ENAMETOOLONG)'],
  ['sqlite:///%zz.db', 'percent-encoding'],
  ['sqlite:///a%00b.db', 'NUL'],
  ['./database.db', 'has no scheme'],
  ['mysql://h/d', 'this release serves SQLite only, not mysql'],
  ['postgres://u:geheim@h/d', 'this release serves SQLite only, not PostgreSQL'],
  ['postgresql+asyncpg://u:geheim@h/d', 'this release serves SQLite only, not PostgreSQL'],
  ['host=h password=geheim', 'has no scheme'],
])('%s is refused', (text, reason) => {
  expect(() => fileOf(text)).toThrow(reason);
  expect(() => fileOf(text)).not.toThrow('geheim');
});

test('the effective URL reads back as the same file', () => {
  const lines = describeConfig(loadConfig({ DATABASE_URL: 'sqlite:///a%40b%23%25 c.db' }, { cwd }));
  const [line] = lines.filter((candidate) => candidate.startsWith('DATABASE_URL='));
  expect(line).toBe(`DATABASE_URL=sqlite:///${cwd}/a%40b%23%25%20c.db`);
  expect(fileOf(line!.slice('DATABASE_URL='.length))).toBe(join(cwd, 'a@b#% c.db'));
});
