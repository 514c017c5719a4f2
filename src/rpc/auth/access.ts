import type { DescMethod } from '@bufbuild/protobuf';
import type { Permission } from './caller.ts';

/** What a method asks of its caller. */
export type Access =
  /** Nothing, not even who it is. */
  | 'open'
  /** Nothing where diagnostics are public; otherwise a caller who may read any scope. */
  | 'diagnostics'
  | {
      readonly permission: Permission;
      /** In the scope that the request names (an empty one is "default"; one that is not set, every scope). */
      readonly in: 'its scope' | 'every scope';
    };

const READ: Access = { permission: 'read', in: 'its scope' };
const WRITE: Access = { permission: 'write', in: 'its scope' };
const OPERATE: Access = { permission: 'admin', in: 'every scope' };

/** The one table of what each method asks. What does not stand here is refused. */
export const ACCESS: Readonly<Record<string, Access>> = {
  'fountain.sequence.v1.SequenceService/Generate': WRITE,
  'fountain.sequence.v1.SequenceService/BatchGenerate': WRITE,
  'fountain.sequence.v1.SequenceService/Reorder': WRITE,
  'fountain.sequence.v1.SequenceService/Move': WRITE,
  'fountain.sequence.v1.SequenceService/CreateVersion': WRITE,
  'fountain.sequence.v1.SequenceService/Remove': WRITE,
  'fountain.sequence.v1.SequenceService/GetElement': READ,
  'fountain.sequence.v1.SequenceService/GetVersion': READ,
  'fountain.sequence.v1.SequenceService/ListElements': READ,
  'fountain.sequence.v1.SequenceService/ListVersions': READ,
  'fountain.sequence.v1.SequenceService/GetSequence': READ,
  'fountain.sequence.v1.SyncService/WaitForSync': READ,
  // Its answers and effects know no scope.
  'fountain.sequence.v1.SyncService/GetSyncStatus': OPERATE,
  'fountain.sequence.v1.SyncService/ListParked': OPERATE,
  'fountain.sequence.v1.SyncService/RetryParked': OPERATE,
  'fountain.sequence.v1.SyncService/Resync': { permission: 'admin', in: 'its scope' },
  // Probes bring no credentials.
  'grpc.health.v1.Health/Check': 'open',
  'grpc.health.v1.Health/Watch': 'open',
  'grpc.health.v1.Health/List': 'open',
  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo': 'diagnostics',
  'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': 'diagnostics',
};

const byMethod = new Map<DescMethod, Access | undefined>();

/** The entry of a method; undefined where it has none. */
export function accessOf(method: DescMethod): Access | undefined {
  if (!byMethod.has(method)) {
    const name = `${method.parent.typeName}/${method.name}`;
    byMethod.set(method, Object.hasOwn(ACCESS, name) ? ACCESS[name] : undefined);
  }
  return byMethod.get(method);
}
