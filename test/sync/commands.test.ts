import { expect, test } from 'vitest';
import { ElementType } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { startApp } from '../support/app.ts';
import { sequenceClient } from '../support/clients.ts';
import { cli } from '../support/command.ts';
import { startTypesense } from '../support/typesense/start.ts';

test('sync-status and resync, as processes', async () => {
  const double = await startTypesense();
  const env = { TYPESENSE_URL: double.url, TYPESENSE_API_KEY: double.apiKey };
  const { url } = await startApp(env);
  const items = Array.from({ length: 50 }, (_, index) => ({ elementId: BigInt(index + 1) }));
  await sequenceClient(url).batchGenerate({ elementType: ElementType.SCRIPT, items });

  const again = await cli(['resync', '--recreate', '--wait', '--server', url], env);
  expect(again).toMatchObject({ code: 0, stderr: expect.any(String) });
  expect(again.stdout).toMatch(/resync \d+ has begun/);
  expect(double.documents('sequence_documents')).toHaveLength(50);

  const status = await cli(['sync-status', '--server', url], env);
  expect(status.code).toBe(0);
  expect(status.stdout).toContain('breaker   closed');
  expect(status.stdout).toContain('dirty     0 documents, 0 of them parked');
});

test('without an index, resync says so in one line', async () => {
  const { url } = await startApp();
  const answer = await cli(['resync', '--server', url], {});
  expect(answer.code).toBe(1);
  expect(answer.stderr).toContain('no search index is configured');
  expect((await cli(['resync', '--recreate', '--server', url], {})).stderr).toContain('TYPESENSE_URL');
});
