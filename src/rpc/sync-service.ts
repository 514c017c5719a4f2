import type { ServiceImpl } from '@connectrpc/connect';
import type { SyncService } from '../../gen/fountain/sequence/v1/sync_pb.js';
import type { SyncControl } from '../domain/sync-control.ts';
import { untilAborted } from '../util/abort.ts';
import { signalOf } from './call.ts';
import { toElementType, toSequenceKey } from './convert.ts';

/** The methods of `fountain.sequence.v1.SyncService`. */
export function createSyncService(sync: SyncControl): ServiceImpl<typeof SyncService> {
  return {
    async getSyncStatus(_request, context) {
      const { resync, dirty, parked, ...status } = await untilAborted(sync.status(), signalOf(context));
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
      return await untilAborted(sync.listParked(request.pageSize, request.pageToken), signalOf(context));
    },

    async retryParked(request, context) {
      const retried = await untilAborted(
        sync.retryParked(request.all ? 'all' : request.documentIds),
        signalOf(context),
      );
      return { retried: BigInt(retried) };
    },

    async resync(request, context) {
      const elementType = request.elementType === undefined ? undefined : toElementType(request.elementType);
      const generation = await untilAborted(sync.resync(request.scope, elementType), signalOf(context));
      return { generation: BigInt(generation) };
    },

    async waitForSync(request, context) {
      await sync.waitForSync(toSequenceKey(request), Number(request.revision), context.signal);
      return {};
    },
  };
}
