import { describe, expect, test } from 'vitest';
import { answers, FaultScript } from '../support/typesense/faults.ts';
import type { RecordedRequest } from '../support/typesense/request-log.ts';

describe('the script', () => {
  const request = (route: string) => ({ route }) as RecordedRequest;

  test('the queue before what lasts, each fault once, in order, for whom it is meant', () => {
    const script = new FaultScript();
    const outage = script.always(answers.notReady());
    script.next([{ kind: 'reset' }, { kind: 'none' }], ({ route }) => route === 'import');
    script.next({ kind: 'hang' });
    expect(script.queued).toBe(3);
    const kinds = ['export', 'import', 'import', 'import'].map((route) => script.take(request(route)).kind);
    expect(kinds).toEqual(['hang', 'reset', 'none', 'answer']);
    expect(outage.hits).toBe(1);
    outage.end();
    expect(script.take(request('import')).kind).toBe('none');
  });

  test('flapping counts its own requests; clear forgets all', () => {
    const script = new FaultScript();
    script.flapping({ up: 2, down: 1, fault: { kind: 'reset' } }, ({ route }) => route === 'import');
    const routes = ['import', 'export', 'import', 'import', 'import', 'import', 'import'];
    expect(routes.map((route) => script.take(request(route)).kind)).toEqual([
      'none',
      'none',
      'none',
      'reset',
      'none',
      'none',
      'reset',
    ]);
    script.next({ kind: 'hang' });
    script.clear();
    expect(script.take(request('import')).kind).toBe('none');
  });
});
