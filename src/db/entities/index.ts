import { EntitySchema } from 'typeorm';
import type { Engine } from '../engine.ts';
import { ChangeEntity } from './change.ts';
import { DirtyDocumentEntity } from './dirty-document.ts';
import { ElementEntity } from './element.ts';
import { MigrationReleaseEntity } from './migration-release.ts';
import { SequenceEntity } from './sequence.ts';
import { ResyncEntity, SyncTargetEntity } from './sync.ts';
import { VersionEntity } from './version.ts';

/** Every table of the service. */
const ENTITIES = [
  SequenceEntity,
  ElementEntity,
  VersionEntity,
  ChangeEntity,
  DirtyDocumentEntity,
  SyncTargetEntity,
  ResyncEntity,
  MigrationReleaseEntity,
];

// As the migrations make them: see there why. TypeORM finds an entity by its name, so queries may name the other's.
const POSTGRES_ENTITIES = ENTITIES.map(
  ({ options }) =>
    new EntitySchema({
      ...(options as EntitySchema['options']),
      foreignKeys: [],
      uniques: (options.uniques ?? []).map((unique) => ({
        ...unique,
        ...(unique.name === 'element_sequence_number' ? { deferrable: 'INITIALLY IMMEDIATE' as const } : {}),
      })),
    } as EntitySchema['options']),
);

const ENTITIES_OF: Readonly<Record<Engine['name'], EntitySchema[]>> = {
  sqlite: ENTITIES as EntitySchema[],
  postgres: POSTGRES_ENTITIES,
};

/** Every table, as an engine has it. */
export function entitiesOf(engine: Engine): EntitySchema[] {
  return ENTITIES_OF[engine.name];
}
