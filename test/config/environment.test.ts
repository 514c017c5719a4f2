import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig, readEnvironment } from '../../src/config.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

describe('.env', () => {
  test('may be absent', () => {
    expect(readEnvironment(cwd, { PORT: '1' })).toEqual({ PORT: '1' });
  });

  test('adds to the environment, which wins, also when empty', () => {
    writeFileSync(join(cwd, '.env'), '\uFEFFPORT=1\nHOST=a # why\nLOG_LEVEL="debug"\n# MIGRATE=check\n');
    expect(readEnvironment(cwd, { PORT: '2', HOST: undefined, LOG_LEVEL: '' })).toEqual({
      PORT: '2',
      HOST: 'a',
      LOG_LEVEL: '',
    });
  });

  test('that cannot be read is a fault', () => {
    mkdirSync(join(cwd, '.env'));
    expect(() => readEnvironment(cwd, {})).toThrow(ConfigError);
    expect(() => readEnvironment(cwd, {})).toThrow('EISDIR');
  });
});

describe('warnings', () => {
  const warningsOf = (env: Record<string, string>) => loadConfig(env, { cwd }).warnings;

  test.each([
    ['DATABASE_URI', 'DATABASE_URL'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['database_url', 'DATABASE_URL'],
    ['PORTS', 'PORT'],
    ['WRITER_MAX_QUEUE_BYTE', 'WRITER_MAX_QUEUE_BYTES'],
  ])('ask whether %s was meant as %s', (name, meant) => {
    expect(warningsOf({ [name]: 'geheim' })).toEqual([
      `"${name}" is not a variable of this service; was ${meant} meant?`,
    ]);
  });

  test('leave other variables alone, and a near miss of one that is set', () => {
    const usual = { HOME: '/', PATH: '/bin', HOSTNAME: 'h', PWD: '/', LOGNAME: 'me', LANG: 'C', SHLVL: '1' };
    expect(warningsOf({ ...usual, DATABASE_URI: 'x', DATABASE_URL: 'sqlite:///x.db' })).toEqual([]);
  });
});
