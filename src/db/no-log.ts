import type { Logger } from 'typeorm';

/**
 * The log that TypeORM is given. Its own writes of migrations to standard output, between the lines of the service's
 * log; what goes wrong is thrown as well, and is logged where it is caught.
 */
export const NO_LOG: Logger = {
  logQuery() {},
  logQueryError() {},
  logQuerySlow() {},
  logSchemaBuild() {},
  logMigration() {},
  log() {},
};
