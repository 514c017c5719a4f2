import { expect, test } from 'vitest';
import { figureOf } from '../../bench/arithmetic.ts';
import { performancePage } from '../../bench/charts/page.ts';
import { type Finding, type Results, rowOf } from '../../bench/results.ts';

function results(...findings: Finding[]): Results {
  const rows = findings.map(rowOf);
  const scenario = { at: '', commit: 'abc1234', rounds: 2, seconds: 1, rows };
  return {
    date: '2026-01-01',
    machine: 'a machine',
    placement: '',
    generators: ['wrk'],
    scenarios: { x: scenario },
  };
}

const sides = ['at 1,000,000', 'at 1,000'].map((label) => ({
  label,
  generator: 'wrk',
  perSecond: figureOf([4_321, 4_444]),
  p50: figureOf([1]),
  p99: figureOf([2]),
}));

test('what was measured is in the table and drawn, what was not is named and not drawn', () => {
  const { markdown, charts } = performancePage(
    results(
      { id: 'size/sqlite', title: 'Generate, sqlite', unit: 'ratio', value: figureOf([0.9, 1]), sides },
      { id: 'lane/empty/json', title: 'lane, json', unit: 'ratio', skipped: 'not in this build: LANE' },
    ),
    [],
  );
  expect([...charts.keys()]).toEqual(['size.svg']);
  expect(charts.get('size.svg')).toContain('4,383/s');
  expect(markdown).toContain('| Generate, sqlite | 0.95 (0.90–1.00) | ≥ 0.90 | met |');
  expect(markdown).toContain('| lane, json | not in this build: LANE | ≥ 3.50 | skipped |');
  expect(markdown).toContain('](performance/size.svg)');
  expect(markdown.match(/!\[/g)).toHaveLength(1);
});

test('each RPC is a line over the number of its callers, writes apart from reads', () => {
  const cell = (call: string, callers: number, what: string): Finding => ({
    id: `matrix/sqlite/${call}/${callers}`,
    title: `${what}, sqlite, json, ${callers} callers`,
    unit: 'per second',
    value: figureOf([callers * 100]),
  });
  const { charts } = performancePage(
    results(
      cell('generate', 1, 'Generate'),
      cell('generate', 64, 'Generate'),
      cell('listElements', 1, 'ListElements, 50'),
    ),
    [],
  );
  expect([...charts.keys()]).toEqual(['matrix-sqlite-writes.svg', 'matrix-sqlite-reads.svg']);
  expect(charts.get('matrix-sqlite-reads.svg')).toContain('ListElements, 50');
});
