/**
 * What differs between the database engines, as a table. Code and tests ask for a capability, never for a name.
 */
export interface Engine {
  readonly name: 'sqlite';
  readonly capabilities: {
    /** Whether several processes may write the same database at the same time. */
    readonly manyWriters: boolean;
    /** Whether a sequence is locked by its row, which then has to exist, or with the whole database. */
    readonly locksRows: boolean;
  };
}

/** SQLite: one process, one writing connection, a transaction that locks the whole database. */
export const SQLITE: Engine = {
  name: 'sqlite',
  capabilities: { manyWriters: false, locksRows: false },
};
