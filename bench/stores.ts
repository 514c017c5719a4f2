import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ElementType, SequenceService } from '../gen/fountain/sequence/v1/sequence_pb.js';
import { benchFolder } from './children.ts';
import { type BenchPostgres, startPostgres } from './postgres.ts';
import { startServer } from './server.ts';

export type EngineName = 'sqlite' | 'postgres';

/** A database that nobody else uses. */
export interface Store {
  readonly engine: EngineName;
  readonly url: string;
  /** The SQLite file, or the name of the database. */
  readonly name: string;
  drop(): Promise<void>;
}

/** The scope that holds what a store is filled with: ids 1..n of type script. */
export const SCOPE = 'bench';

/** Makes databases. One with many elements is filled once, through the service itself, and copied from then on. */
export class Stores {
  readonly #templates = new Map<string, Store>();
  #postgres: Promise<BenchPostgres> | undefined;
  #made = 0;

  /** A database of so many elements; without any it is not even created, which the service does. */
  async make(engine: EngineName, elements: number): Promise<Store> {
    const store = await this.#place(engine);
    if (elements === 0 && engine === 'sqlite') return store;
    const template = elements === 0 ? undefined : await this.#template(engine, elements);
    if (engine === 'postgres') {
      const from = template === undefined ? '' : ` TEMPLATE ${template.name} STRATEGY FILE_COPY`;
      const { query } = await this.postgres();
      await query(`CREATE DATABASE ${store.name}${from}`);
      // What filled the template is not to be written back while something is measured.
      await query('CHECKPOINT');
    } else {
      for (const suffix of ['', '-wal'])
        if (existsSync(template!.name + suffix)) copyFileSync(template!.name + suffix, store.name + suffix);
    }
    return store;
  }

  /** The PostgreSQL server, started when it is first asked for. */
  postgres(): Promise<BenchPostgres> {
    this.#postgres ??= startPostgres();
    return this.#postgres;
  }

  async close(): Promise<void> {
    for (const template of this.#templates.values()) await template.drop();
    await (await this.#postgres)?.stop();
  }

  async #place(engine: EngineName): Promise<Store> {
    if (engine === 'postgres') {
      const { url, query } = await this.postgres();
      const name = `bench_${this.#made++}`;
      const drop = () => query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      return { engine, name, url: url(name), drop };
    }
    const folder = benchFolder();
    const name = join(folder.path, 'sequence.db');
    return { engine, name, url: `sqlite:///${name}`, drop: async () => folder.remove() };
  }

  async #template(engine: EngineName, elements: number): Promise<Store> {
    const key = `${engine} ${elements}`;
    const known = this.#templates.get(key);
    if (known !== undefined) return known;
    const store = await this.make(engine, 0);
    const server = await startServer({ databaseUrl: store.url, cores: 'any' });
    await fill(server.url, SCOPE, elements);
    await server.stop();
    this.#templates.set(key, store);
    return store;
  }
}

/** Puts the elements 1..n into an empty sequence. */
export async function fill(
  url: string,
  scope: string,
  elements: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const client = createClient(SequenceService, createConnectTransport({ baseUrl: url, httpVersion: '1.1' }));
  for (let done = 0; done < elements; done += 1_000) {
    const length = Math.min(1_000, elements - done);
    const items = Array.from({ length }, (_, index) => ({ elementId: BigInt(done + index + 1) }));
    await client.batchGenerate({ scope, elementType: ElementType.SCRIPT, items }, { headers });
  }
}
