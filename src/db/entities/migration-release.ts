import { EntitySchema } from 'typeorm';

/** A row of `migration_release`: the oldest release that works with the schema as a migration left it. */
export interface MigrationReleaseRow {
  /** The migration's name. */
  name: string;
  /** A semantic version. */
  minRelease: string;
}

export const MigrationReleaseEntity = new EntitySchema<MigrationReleaseRow>({
  name: 'migration_release',
  columns: {
    name: { type: 'text', primary: true },
    minRelease: { name: 'min_release', type: 'text' },
  },
});
