import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseOptions, UsageError } from '../../bench/options.ts';
import { newestResults, type Results, saveResults } from '../../bench/results.ts';
import { SCENARIOS } from '../../bench/scenarios/index.ts';

const run = promisify(execFile);
const RUN = new URL('../../bench/run.ts', import.meta.url).pathname;
const KNOWN = [{ name: 'first' }, { name: 'second' }, { name: 'long', onlyByName: true }];

describe('the command line', () => {
  test('without names all run but those that have to be named', () => {
    expect(parseOptions([], KNOWN)).toEqual({
      scenarios: ['first', 'second'],
      rounds: 5,
      seconds: 2,
      check: false,
      list: false,
      help: false,
    });
  });

  test('with names those run, in their own order', () => {
    const options = parseOptions(['long', '--check', 'first', '--rounds', '2', '--seconds=1'], KNOWN);
    expect(options).toMatchObject({ scenarios: ['first', 'long'], rounds: 2, seconds: 1, check: true });
  });

  test.each([
    [['third'], 'no scenario third; there are: first, second, long'],
    [['--rounds', '0'], '--rounds takes a whole number from 1 to 100, not "0"'],
    [['--seconds', '1.5'], '--seconds takes a whole number from 1 to 600, not "1.5"'],
    [['--seconds', '1e2'], 'not "1e2"'],
    [['--fast'], "Unknown option '--fast'"],
  ])('%j is refused', (args, message) => {
    expect(() => parseOptions(args, KNOWN)).toThrow(UsageError);
    expect(() => parseOptions(args, KNOWN)).toThrow(message);
  });

  test('the program lists its scenarios, and ends with 2 where it is used wrongly', async () => {
    const { stdout } = await run(process.execPath, [RUN, '--list']);
    expect(stdout.trim().split('\n')).toHaveLength(SCENARIOS.length);
    await expect(run(process.execPath, [RUN, '--rounds', 'many'])).rejects.toMatchObject({ code: 2 });
  });

  test('no two scenarios have one name', () => {
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  });
});

describe('results', () => {
  const results = (date: string, scenario: string, rounds: number): Results => ({
    date,
    machine: '',
    placement: '',
    generators: [],
    scenarios: { [scenario]: { at: '', commit: '', rounds, seconds: 1, rows: [] } },
  });

  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'sequence-bench-test-'));
    onTestFinished(() => rmSync(path, { recursive: true }));
    return path;
  }

  test('a scenario that is run again on one day replaces itself and keeps the others', () => {
    const path = folder();
    saveResults(results('2026-01-02', 'a', 1), path);
    saveResults(results('2026-01-02', 'b', 1), path);
    saveResults(results('2026-01-02', 'a', 3), path);
    expect(newestResults(path)?.scenarios).toMatchObject({ a: { rounds: 3 }, b: { rounds: 1 } });
  });

  test('the newest day counts; soaks and others beside it do not', () => {
    const path = folder();
    expect(newestResults(path)).toBeUndefined();
    saveResults(results('2026-01-10', 'a', 2), path);
    saveResults(results('2026-01-09', 'a', 1), path);
    writeFileSync(join(path, 'soak-sqlite-2026-01-11.json'), '{}');
    expect(newestResults(path)?.date).toBe('2026-01-10');
  });
});
