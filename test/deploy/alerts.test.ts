import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startApp } from '../support/app.ts';
import { h1Caller } from '../support/caller.ts';
import { startTypesense } from '../support/typesense/start.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const RULES = `${ROOT}/deploy/prometheus/alerts.yaml`;
const OPERATIONS = readFileSync(`${ROOT}/docs/operations.md`, 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
/** What the machine has; a test that skips names what it lacks. */
const TOOLS = { promtool: runs('promtool', ['--version']) };

describe('alert rules', () => {
  test('there are some, each once', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });

  test.each(rules.map((rule) => [rule.alert, rule] as const))(
    '%s says what, and where help is',
    (alert, rule) => {
      expect(['critical', 'warning']).toContain(rule.labels.severity);
      expect(rule.annotations.summary).not.toBe('');
      expect(rule.annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    },
  );

  test('docs/operations.md has a section on each, in their order, and on no other', () => {
    const [, alarms] = /^## Alarms$([\s\S]*?)^## /m.exec(OPERATIONS)!;
    const sections = [...alarms!.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(rules.map(({ alert }) => alert));
  });

  test('each metric and each of its labels is one of a running service', async () => {
    const double = await startTypesense();
    const { port, url } = await startApp({ TYPESENSE_URL: double.url, TYPESENSE_API_KEY: double.apiKey });
    await h1Caller(port)('Generate', { elementType: 'ELEMENT_TYPE_SCRIPT', elementId: 1 });
    const page = await (await fetch(`${url}/metrics`)).text();
    const names = new Set(rules.flatMap(({ expr }) => expr.match(/\bsequence_\w+/g) ?? []));
    expect(names.size).toBeGreaterThan(10);
    const missing = [...names].filter((name) => {
      const family = name.replace(/_(bucket|count|sum)$/, '');
      return !page.includes(`# TYPE ${name} `) && !page.includes(`# TYPE ${family} histogram\n`);
    });
    expect(missing).toEqual([]);
    for (const value of ['closed', 'open'])
      expect(page).toContain(`sequence_sync_breaker_state{state="${value}"}`);
    expect(page).toContain('sequence_database_file_bytes{file="log"}');
    expect(page).toMatch(
      /sequence_rpc_duration_seconds_count\{method="fountain\.sequence\.v1\.SequenceService\/Generate",code="OK"/,
    );
  });

  test.each([...OPERATIONS.matchAll(/`(sequence_\w+)`/g)].map(([, name]) => name!))(
    '%s, which docs/operations.md names, exists',
    async (name) => {
      const metrics = readFileSync(`${ROOT}/src/metrics.ts`, 'utf8');
      const ofNode = /^sequence_(process|nodejs)_/.test(name);
      expect(ofNode || metrics.includes(`'${name}'`)).toBe(true);
    },
  );
});

describe.skipIf(!TOOLS.promtool)('promtool (needs: promtool)', () => {
  test('accepts the rules', () => {
    expect(String(execFileSync('promtool', ['check', 'rules', RULES]))).toContain(
      `${rules.length} rules found`,
    );
  });

  test('fires them on the series of alerts.yaml beside this file, and not on quiet ones', () => {
    const cases = new URL('./alerts.yaml', import.meta.url).pathname;
    expect(String(execFileSync('promtool', ['test', 'rules', cases]))).toContain('SUCCESS');
  });
});

function runs(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
