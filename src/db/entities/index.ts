import { ChangeEntity } from './change.ts';
import { DirtyDocumentEntity } from './dirty-document.ts';
import { ElementEntity } from './element.ts';
import { MigrationReleaseEntity } from './migration-release.ts';
import { SequenceEntity } from './sequence.ts';
import { ResyncEntity, SyncTargetEntity } from './sync.ts';
import { VersionEntity } from './version.ts';

/** Every table of the service. */
export const ENTITIES = [
  SequenceEntity,
  ElementEntity,
  VersionEntity,
  ChangeEntity,
  DirtyDocumentEntity,
  SyncTargetEntity,
  ResyncEntity,
  MigrationReleaseEntity,
];
