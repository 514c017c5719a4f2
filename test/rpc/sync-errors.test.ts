import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import { SyncService } from '../../gen/fountain/sequence/v1/sync_pb.js';
import { startApp } from '../support/app.ts';
import { openSqlite } from '../support/sqlite.ts';

test('what an operator asks for while the database cannot be written is UNAVAILABLE, no fault of ours', async () => {
  const app = await startApp();
  const lock = await openSqlite(app.file);
  await lock.run('BEGIN IMMEDIATE');
  const client = createClient(SyncService, createConnectTransport({ baseUrl: app.url, httpVersion: '1.1' }));
  const error = await client.retryParked({ all: true }).catch(ConnectError.from);
  await lock.run('ROLLBACK');
  expect(error).toMatchObject({ code: Code.Unavailable });
  expect(JSON.stringify((error as ConnectError).details)).toContain('DATABASE_UNAVAILABLE');
  expect(await client.retryParked({ all: true })).toMatchObject({ retried: 0n });
});
