import type { ServiceImpl } from '@connectrpc/connect';
import type { SyncService } from '../../gen/fountain/sequence/v1/sync_pb.js';
import { callerError } from '../domain/caller-error.ts';
import type { SyncControl } from '../domain/sync-control.ts';
import { untilAborted } from '../util/abort.ts';
import { toElementType, toSequenceKey } from './convert.ts';

/** The methods of `fountain.sequence.v1.SyncService`. */
export function createSyncService(sync: SyncControl): ServiceImpl<typeof SyncService> {
  return {
    async getSyncStatus(_request, context) {
      const { resync, dirty, parked, ...status } = await answered(sync.status(), context.signal);
      return {
        ...status,
        dirty: BigInt(dirty),
        parked: BigInt(parked),
        ...(resync && {
          resync: {
            generation: BigInt(resync.generation),
            marked: BigInt(resync.marked),
            total: BigInt(resync.total),
            remaining: BigInt(resync.remaining),
          },
        }),
      };
    },

    async listParked(request, context) {
      return await answered(sync.listParked(request.pageSize, request.pageToken), context.signal);
    },

    async retryParked(request, context) {
      const retried = await answered(
        sync.retryParked(request.all ? 'all' : request.documentIds),
        context.signal,
      );
      return { retried: BigInt(retried) };
    },

    async resync(request, context) {
      const elementType = request.elementType === undefined ? undefined : toElementType(request.elementType);
      const generation = await answered(sync.resync(request.scope, elementType), context.signal);
      return { generation: BigInt(generation) };
    },

    async waitForSync(request, context) {
      const { signal } = context;
      await answered(sync.waitForSync(toSequenceKey(request), Number(request.revision), signal), signal);
      return {};
    },
  };
}

/** @throws DomainError where the database fails, or the signal's reason */
async function answered<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await untilAborted(answer, signal);
  } catch (error) {
    throw callerError(error);
  }
}
