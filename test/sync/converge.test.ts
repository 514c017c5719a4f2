import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { describe, expect, test } from 'vitest';
import { ElementType } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../../gen/fountain/sequence/v1/sync_pb.js';
import { startAppOn } from '../support/app.ts';
import { sequenceClient } from '../support/clients.ts';
import { startTypesense } from '../support/typesense/start.ts';
import { ClientServiceDouble } from '../support/typesense-client/client-service-double.ts';
import { databaseFile } from './harness.ts';
import { heldDocuments, impliedDocuments } from './index-truth.ts';

const COLLECTION = 'sequence_documents';

async function startTarget(kind: 'typesense' | 'typesense-client') {
  if (kind === 'typesense') {
    const double = await startTypesense();
    return { double, env: { TYPESENSE_URL: double.url, TYPESENSE_API_KEY: double.apiKey } };
  }
  const double = new ClientServiceDouble();
  await double.server.open();
  return { double, env: { TYPESENSE_CLIENT_URL: double.url, TYPESENSE_SERVICE_API_KEY: 'client-key' } };
}

describe.each(['typesense', 'typesense-client'] as const)('%s', (kind) => {
  test('every kind of write reaches the index', async () => {
    const { double, env } = await startTarget(kind);
    const { url, file } = await startAppOn(await databaseFile(), {
      ...env,
      LOG_LEVEL: process.env['LOG'] ?? 'silent',
    });
    const client = sequenceClient(url);
    const sync = createClient(SyncService, createConnectTransport({ baseUrl: url, httpVersion: '1.1' }));
    const at = { scope: 'play', elementType: ElementType.SECTION };
    const waited = async (revision: bigint) => {
      await sync.waitForSync({ ...at, revision });
      expect(heldDocuments(double.documents(COLLECTION))).toEqual(await impliedDocuments(file));
    };
    await waited(
      (await client.generate({ ...at, elementId: 1n, content: { a: 'x', b: ['y', { c: 'z' }] } })).revision,
    );
    const items = Array.from({ length: 300 }, (_, index) => ({ elementId: BigInt(index + 2) }));
    await waited((await client.batchGenerate({ ...at, items })).revision);
    await waited(
      (await client.move({ ...at, elementId: 300n, target: { case: 'first', value: true } })).revision,
    );
    await waited((await client.createVersion({ ...at, elementId: 5n, comment: 'second' })).revision);
    await waited((await client.createVersion({ ...at, elementId: 5n, comment: 'third' })).revision);
    await waited((await client.reorder({ ...at, newOrder: [9n, 4n, 7n] })).revision);
    await waited((await client.remove({ ...at, elementId: 5n })).revision);
    await waited(
      (await client.generate({ ...at, elementId: 5n, target: { case: 'before', value: 9n } })).revision,
    );
    const status = await sync.getSyncStatus({});
    expect(status).toMatchObject({ enabled: true, breakerState: 'closed' });
  });
});
