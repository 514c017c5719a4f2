import { setTimeout as sleep } from 'node:timers/promises';
import { toJson } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import {
  type GetSyncStatusResponse,
  GetSyncStatusResponseSchema,
  SyncService,
} from '../../gen/fountain/sequence/v1/sync_pb.js';
import { loadConfig, readEnvironment } from '../config.ts';
import { createTarget } from '../sync/targets/create.ts';
import { CommandError, type Options } from './command.ts';
import { print } from './output.ts';
import { Progress } from './progress.ts';
import { type Remote, withRemote } from './remote.ts';

const POLL_MS = 500;
const DEADLINE_MS = 10_000;
const DROP_TIMEOUT_MS = 30_000;

/** Prints how far the search index has followed. Returns the exit code: 1 where documents are parked. */
export async function syncStatus(options: Options): Promise<number> {
  const status = await withRemote(options, (remote) => statusOf(remote));
  if (options['json'] === true)
    print(JSON.stringify(toJson(GetSyncStatusResponseSchema, status, { alwaysEmitImplicit: true })));
  else for (const line of inWords(status)) print(line);
  return status.parked > 0n ? 1 : 0;
}

/**
 * Has everything sent anew. With `--recreate` the collection is dropped first, by this configuration; the service
 * creates it again. With `--wait` it shows the progress until the index has acknowledged all. Returns the exit code.
 */
export async function resync(options: Options): Promise<number> {
  const interrupted = 'interrupted; the resync goes on in the service, "cli sync-status" shows it';
  return await withRemote(
    options,
    async (remote) => {
      if (options['recreate'] === true) await drop();
      const { generation } = await syncClient(remote).resync({}, callOptions(remote));
      print(`resync ${generation} has begun`);
      if (options['wait'] === true) await waitForEnd(remote);
      return 0;
    },
    interrupted,
  );
}

async function drop(): Promise<void> {
  const { sync, service } = loadConfig(readEnvironment());
  const target = await createTarget({ ...sync, worker: 'on' }, service.name, () => {});
  if (target === undefined)
    throw new CommandError('this configuration names no search index: set TYPESENSE_URL', 1);
  try {
    await target.drop(AbortSignal.timeout(DROP_TIMEOUT_MS));
  } catch (error) {
    throw new CommandError(`the collection was not dropped: ${(error as Error).message}`, 1);
  } finally {
    await target.close();
  }
}

async function waitForEnd(remote: Remote): Promise<void> {
  let progress: Progress | undefined;
  let shown = 0;
  try {
    for (;;) {
      const { resync, dirty, parked } = await statusOf(remote);
      if (resync === undefined && dirty === parked) return;
      if (resync !== undefined) {
        progress ??= new Progress('documents', Number(resync.total));
        const done = Math.max(0, Number(resync.marked - resync.remaining));
        progress.add(Math.max(0, done - shown));
        shown = Math.max(shown, done);
      }
      await sleep(POLL_MS, undefined, { signal: remote.signal });
    }
  } finally {
    progress?.end();
  }
}

function statusOf(remote: Remote): Promise<GetSyncStatusResponse> {
  return syncClient(remote).getSyncStatus({}, callOptions(remote));
}

function syncClient({ url, credentials: { tls } }: Remote) {
  const nodeOptions = tls && { nodeOptions: { ...tls } };
  return createClient(
    SyncService,
    createConnectTransport({ baseUrl: url, httpVersion: '1.1', ...nodeOptions }),
  );
}

function callOptions({ signal, credentials: { token } }: Remote) {
  const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  return { signal, timeoutMs: DEADLINE_MS, ...(headers && { headers }) };
}

function inWords(status: GetSyncStatusResponse): string[] {
  const { resync } = status;
  return [
    `index     ${status.enabled ? status.target : 'none: changes are marked and not sent'}`,
    `dirty     ${status.dirty} documents, ${status.parked} of them parked`,
    `oldest    ${status.oldestAgeSeconds.toFixed(1)} s`,
    `breaker   ${status.breakerState || '-'}`,
    `resync    ${resync ? `${resync.marked - resync.remaining} of ${resync.total} documents` : 'none'}`,
    `error     ${status.lastError || 'none'}`,
  ];
}
