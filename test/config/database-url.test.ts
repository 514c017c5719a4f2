import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatPostgresUrl } from '../../src/config/postgres-url.ts';
import { SSL_MODES } from '../../src/config/types.ts';
import { describeConfig, loadConfig } from '../../src/config.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-'));
  mkdirSync(join(cwd, 'folder'));
  writeFileSync(join(cwd, 'file.db'), '');
});
afterAll(() => rmSync(cwd, { recursive: true }));

const urlOf = (text: string) => loadConfig({ DATABASE_URL: text }, { cwd }).database.url;
const fileOf = (text: string) => {
  const url = urlOf(text);
  return url.engine === 'sqlite' ? url.file : url;
};

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
  ['mysql://h/d', 'there is no engine for mysql'],
  ['postgres://u:geheim@/d', 'must'],
  ['postgres://h/d', 'must name a user'],
  ['postgres://u:geheim@h', 'must name a database'],
  ['postgres://u:geheim@h/', 'must name a database'],
  ['postgres://u:geheim@h/a/b', 'must name a database'],
  ['postgres://u:geheim@h:port/d', 'must have the form'],
  ['postgres://u:geheim@h/d#x', 'must have the form'],
  ['postgres://u:ge%zzheim@h/d', 'percent-encoding'],
  ['postgres://u:geheim@h/d?sslmode=prefer', 'falls back to plain text'],
  ['postgres://u:geheim@h/d?sslmode=on', 'must have an sslmode of disable, require, verify-ca, verify-full'],
  ['postgres://u:geheim@h/d?options=-c', 'must carry only the options'],
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

const PLAIN = {
  engine: 'postgres',
  host: 'db.example.org',
  port: 5432,
  user: 'u',
  password: '',
  database: 'd',
  sslMode: 'disable',
  sslRootCert: '',
} as const;

test.each([
  ['postgres://u@db.example.org/d', PLAIN],
  ['postgresql://u:p%40%3A@db.example.org:6000/d', { ...PLAIN, password: 'p@:', port: 6000 }],
  ['postgresql+asyncpg://u@db.example.org/my%2Fd', undefined],
  ['postgres://u@[::1]/d?sslmode=require', { ...PLAIN, host: '::1', sslMode: 'require' }],
  ['postgres://u@localhost/d?host=/run/postgresql', { ...PLAIN, host: '/run/postgresql' }],
  [
    'POSTGRES://u@db.example.org/d?sslmode=verify-full&sslrootcert=ca.pem',
    { ...PLAIN, sslMode: 'verify-full', sslRootCert: 'ca.pem' },
  ],
])('%s is read as libpq reads it', (text, expected) => {
  if (expected === undefined) return expect(() => urlOf(text)).toThrow('must name a database');
  const { sslRootCert } = expected;
  const whole = { ...expected, sslRootCert: sslRootCert === '' ? '' : join(cwd, sslRootCert) };
  expect(urlOf(text)).toEqual(whole);
});

test('what is written back reads as the same, and is shown without user, password and options', () => {
  fc.assert(
    fc.property(
      fc.record({
        engine: fc.constant('postgres' as const),
        host: fc.constantFrom('h', '::1', '10.0.0.1', '/run/my postgres'),
        port: fc.integer({ min: 1, max: 65_535 }),
        user: fc.string({ minLength: 1, unit: 'grapheme' }),
        password: fc.string({ unit: 'grapheme' }),
        database: fc.stringMatching(/^[^/\0]+$/u).filter((name) => name.isWellFormed()),
        sslMode: fc.constantFrom(...SSL_MODES),
        sslRootCert: fc.constantFrom('', '/etc/ssl/a b?.pem'),
      }),
      (url) => {
        const config = loadConfig({}, { cwd });
        const text = formatPostgresUrl(url);
        expect(urlOf(text)).toEqual(url);
        const [line] = describeConfig({ ...config, database: { ...config.database, url } }).filter((each) =>
          each.startsWith('DATABASE_URL='),
        );
        expect(line).toMatch(/^DATABASE_URL=postgres:\/\/\*{8}@[^@?]*(\?\*{8})?$/);
      },
    ),
  );
});

test('migrations are applied at start on SQLite, and looked for on PostgreSQL, unless MIGRATE says otherwise', () => {
  const modeOf = (env: Record<string, string>) => loadConfig(env, { cwd }).database.migrate;
  const DATABASE_URL = 'postgres://u@h/d';
  expect(modeOf({})).toBe('auto');
  expect(modeOf({ MIGRATE: 'check' })).toBe('check');
  expect(modeOf({ DATABASE_URL })).toBe('check');
  expect(modeOf({ DATABASE_URL, MIGRATE: 'AUTO' })).toBe('auto');
});

test('certificates are for a database that is spoken to with TLS', () => {
  const load = (DATABASE_URL: string) => () =>
    loadConfig({ DATABASE_URL, DATABASE_SSL_CA: 'ca.pem' }, { cwd });
  expect(load('postgres://u@h/d?sslmode=verify-full')().database.sslCa).toBe(join(cwd, 'ca.pem'));
  expect(load('postgres://u:geheim@h/d')).toThrow('DATABASE_SSL_CA needs');
  expect(load('postgres://u:geheim@h/d')).not.toThrow('geheim');
  expect(load('sqlite:///x.db')).toThrow('DATABASE_SSL_CA needs');
});
