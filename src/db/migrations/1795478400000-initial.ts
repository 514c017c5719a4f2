import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { Engine } from '../engine.ts';

/** The tables of the first release. */
export class Initial1795478400000 implements MigrationInterface {
  readonly name = 'Initial1795478400000';

  async up(runner: QueryRunner): Promise<void> {
    const tables = TABLES_OF[runner.connection.options.type as Engine['name']];
    for (const statement of tables) await runner.query(statement);
    await runner.query(
      `INSERT INTO "migration_release" ("name", "min_release") VALUES ('${this.name}', '0.1.0')`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of TABLES.toReversed()) await runner.query(`DROP TABLE "${table}"`);
  }
}

const TABLES = [
  'sequence',
  'element',
  'version',
  'change',
  'dirty_document',
  'sync_target',
  'resync',
  'migration_release',
];

const SQLITE = [
  `CREATE TABLE "sequence" (
    "id" integer PRIMARY KEY AUTOINCREMENT NOT NULL,
    "scope" text NOT NULL,
    "element_type" text NOT NULL,
    "size" integer NOT NULL,
    "revision" bigint NOT NULL,
    "order_revision" bigint NOT NULL,
    "last_change_time" bigint NOT NULL,
    CONSTRAINT "sequence_key" UNIQUE ("scope", "element_type")
  )`,
  // The content stands last: a row whose other columns are read never touches its overflow pages.
  `CREATE TABLE "element" (
    "sequence_id" integer NOT NULL,
    "element_id" bigint NOT NULL,
    "sequence_number" integer NOT NULL,
    "version_number" integer NOT NULL,
    "create_time" bigint NOT NULL,
    "update_time" bigint NOT NULL,
    "comment" text NOT NULL,
    "content" text,
    CONSTRAINT "element_sequence_number" UNIQUE ("sequence_id", "sequence_number"),
    CONSTRAINT "element_sequence" FOREIGN KEY ("sequence_id") REFERENCES "sequence" ("id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    PRIMARY KEY ("sequence_id", "element_id")
  )`,
  `CREATE TABLE "version" (
    "sequence_id" integer NOT NULL,
    "element_id" bigint NOT NULL,
    "version_number" integer NOT NULL,
    "sequence_number" integer NOT NULL,
    "create_time" bigint NOT NULL,
    "comment" text NOT NULL,
    "content" text,
    CONSTRAINT "version_element" FOREIGN KEY ("sequence_id", "element_id") REFERENCES "element" ("sequence_id", "element_id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    PRIMARY KEY ("sequence_id", "element_id", "version_number")
  )`,
  `CREATE TABLE "change" (
    "sequence_id" integer NOT NULL,
    "revision" bigint NOT NULL,
    "change_time" bigint NOT NULL,
    "kind" text NOT NULL,
    "comment" text NOT NULL,
    "caller" text NOT NULL,
    "request_id" text,
    "request_hash" text,
    "answer" text,
    "batch_token" text NOT NULL,
    CONSTRAINT "change_sequence" FOREIGN KEY ("sequence_id") REFERENCES "sequence" ("id") ON DELETE NO ACTION ON UPDATE NO ACTION,
    PRIMARY KEY ("sequence_id", "revision", "change_time")
  ) WITHOUT ROWID`,
  `CREATE UNIQUE INDEX "change_request" ON "change" ("sequence_id", "caller", "request_id") WHERE "request_id" IS NOT NULL`,
  `CREATE TABLE "dirty_document" (
    "sequence_id" integer NOT NULL,
    "element_id" bigint NOT NULL,
    "version_number" integer NOT NULL,
    "mark" text NOT NULL,
    "since_revision" bigint NOT NULL,
    "wanted_revision" bigint NOT NULL,
    "priority" integer NOT NULL,
    "attempts" integer NOT NULL,
    "next_try_time" bigint NOT NULL,
    "since_time" bigint NOT NULL,
    "error" text,
    "lease_owner" text,
    "lease_expire_time" bigint,
    PRIMARY KEY ("sequence_id", "element_id", "version_number")
  ) WITHOUT ROWID`,
  `CREATE INDEX "dirty_document_due" ON "dirty_document" ("priority", "next_try_time")`,
  `CREATE TABLE "sync_target" (
    "id" integer PRIMARY KEY NOT NULL,
    "identity" text NOT NULL,
    "generation" bigint NOT NULL,
    "sending" integer NOT NULL
  )`,
  `CREATE TABLE "resync" (
    "generation" integer PRIMARY KEY NOT NULL,
    "scope" text,
    "element_type" text,
    "cursor_sequence_id" integer,
    "cursor_element_id" bigint,
    "cursor_version_number" integer,
    "marked" bigint NOT NULL,
    "total" bigint NOT NULL,
    "create_time" bigint NOT NULL,
    "mark_finish_time" bigint,
    "finish_time" bigint
  )`,
  `CREATE TABLE "migration_release" (
    "name" text PRIMARY KEY NOT NULL,
    "min_release" text NOT NULL
  )`,
];

const POSTGRES = [
  // The counters change with every batch: room in each page keeps those updates out of the indexes (HOT).
  `CREATE TABLE "sequence" (
    "id" serial NOT NULL,
    "scope" text NOT NULL,
    "element_type" text NOT NULL,
    "size" integer NOT NULL,
    "revision" bigint NOT NULL,
    "order_revision" bigint NOT NULL,
    "last_change_time" bigint NOT NULL,
    CONSTRAINT "sequence_key" UNIQUE ("scope", "element_type"),
    CONSTRAINT "sequence_pkey" PRIMARY KEY ("id")
  ) WITH (fillfactor = 10)`,
  // No foreign keys: a trigger for each row made inserting cost 1.6 times as much. A sequence is never deleted, an
  // element only under its lock, and verify looks for orphans.
  `CREATE TABLE "element" (
    "sequence_id" integer NOT NULL,
    "element_id" bigint NOT NULL,
    "sequence_number" integer NOT NULL,
    "version_number" integer NOT NULL,
    "create_time" bigint NOT NULL,
    "update_time" bigint NOT NULL,
    "comment" text NOT NULL,
    "content" text,
    CONSTRAINT "element_sequence_number" UNIQUE ("sequence_id", "sequence_number") DEFERRABLE INITIALLY IMMEDIATE,
    CONSTRAINT "element_pkey" PRIMARY KEY ("sequence_id", "element_id")
  )`,
  `CREATE TABLE "version" (
    "sequence_id" integer NOT NULL,
    "element_id" bigint NOT NULL,
    "version_number" integer NOT NULL,
    "sequence_number" integer NOT NULL,
    "create_time" bigint NOT NULL,
    "comment" text NOT NULL,
    "content" text,
    CONSTRAINT "version_pkey" PRIMARY KEY ("sequence_id", "element_id", "version_number")
  )`,
  `CREATE TABLE "change" (
    "sequence_id" integer NOT NULL,
    "revision" bigint NOT NULL,
    "change_time" bigint NOT NULL,
    "kind" text NOT NULL,
    "comment" text NOT NULL,
    "caller" text NOT NULL,
    "request_id" text,
    "request_hash" text,
    "answer" text,
    "batch_token" text NOT NULL,
    CONSTRAINT "change_pkey" PRIMARY KEY ("sequence_id", "revision", "change_time")
  )`,
  `CREATE UNIQUE INDEX "change_request" ON "change" ("sequence_id", "caller", "request_id") WHERE "request_id" IS NOT NULL`,
  `CREATE TABLE "dirty_document" (
    "sequence_id" integer NOT NULL,
    "element_id" bigint NOT NULL,
    "version_number" integer NOT NULL,
    "mark" text NOT NULL,
    "since_revision" bigint NOT NULL,
    "wanted_revision" bigint NOT NULL,
    "priority" integer NOT NULL,
    "attempts" integer NOT NULL,
    "next_try_time" bigint NOT NULL,
    "since_time" bigint NOT NULL,
    "error" text,
    "lease_owner" text,
    "lease_expire_time" bigint,
    CONSTRAINT "dirty_document_pkey" PRIMARY KEY ("sequence_id", "element_id", "version_number")
  )`,
  `CREATE INDEX "dirty_document_due" ON "dirty_document" ("priority", "next_try_time")`,
  `CREATE TABLE "sync_target" (
    "id" integer NOT NULL,
    "identity" text NOT NULL,
    "generation" bigint NOT NULL,
    "sending" integer NOT NULL,
    CONSTRAINT "sync_target_pkey" PRIMARY KEY ("id")
  )`,
  `CREATE TABLE "resync" (
    "generation" integer NOT NULL,
    "scope" text,
    "element_type" text,
    "cursor_sequence_id" integer,
    "cursor_element_id" bigint,
    "cursor_version_number" integer,
    "marked" bigint NOT NULL,
    "total" bigint NOT NULL,
    "create_time" bigint NOT NULL,
    "mark_finish_time" bigint,
    "finish_time" bigint,
    CONSTRAINT "resync_pkey" PRIMARY KEY ("generation")
  )`,
  `CREATE TABLE "migration_release" (
    "name" text NOT NULL,
    "min_release" text NOT NULL,
    CONSTRAINT "migration_release_pkey" PRIMARY KEY ("name")
  )`,
];

const TABLES_OF: Readonly<Record<Engine['name'], readonly string[]>> = { sqlite: SQLITE, postgres: POSTGRES };
