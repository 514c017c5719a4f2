import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type App, createApp } from '../../../src/app.ts';
import { loadConfig } from '../../../src/config.ts';
import { verifyDatabase } from '../../../src/db/database.ts';
import { metricsOf } from '../../support/metrics-page.ts';
import { placeOf } from '../../support/place.ts';
import { type Case, MAX_BODY_BYTES, ORIGIN } from './cases.ts';
import { isIntended } from './differences.ts';
import { type Reply, Sender } from './send.ts';

/** Two services that have been asked the same since they began: one with the lane, one without. */
export class Twins {
  readonly #folder: string;
  readonly #stock: Twin;
  readonly #lane: Twin;

  private constructor(folder: string, stock: Twin, lane: Twin) {
    this.#folder = folder;
    this.#stock = stock;
    this.#lane = lane;
  }

  static async start(): Promise<Twins> {
    const folder = await mkdtemp(join(tmpdir(), 'lane-twins-'));
    return new Twins(folder, await startTwin(folder, 'off'), await startTwin(folder, 'on'));
  }

  /** Sends a case to both. @throws Error that shows both answers, where they differ and should not */
  async compare(one: Case): Promise<readonly Reply[]> {
    const [stock, lane] = await Promise.all([this.#stock.sender.send(one), this.#lane.sender.send(one)]);
    const same =
      stock.length === lane.length &&
      stock.every((reply, i) => isDeepStrictEqual(reply, lane[i]) || isIntended(one, reply, lane[i]!));
    if (!same) throw new Error(`they differ.\n${apart(stock, lane)}\nsent: ${show(one)}`);
    return stock;
  }

  /** Compares what was counted and what is stored, and stops both. */
  async finish(): Promise<{ readonly taken: number; readonly requests: number }> {
    const stock = await settled(this.#stock.url);
    const lane = await settled(this.#lane.url);
    if (!isDeepStrictEqual(counted(stock), counted(lane)))
      throw new Error(`they counted otherwise.\n${differing(counted(stock), counted(lane))}`);
    const [inStock, inLane] = [await rows(this.#stock.url), await rows(this.#lane.url)];
    if (!isDeepStrictEqual(inStock, inLane))
      throw new Error(`they hold otherwise.\n${differing(inStock, inLane)}`);
    for (const twin of [this.#stock, this.#lane]) {
      twin.sender.close();
      if (!(await twin.app.stop())) throw new Error('a service did not stop in time');
      const { violations } = await verifyDatabase(placeOf(twin.file));
      if (violations.length > 0) throw new Error(`a promise is broken: ${show(violations)}`);
    }
    await rm(this.#folder, { recursive: true, force: true });
    const requests = [...lane].filter(([name]) => name.startsWith('sequence_rpc_duration_seconds_count'));
    return {
      taken: lane.get('sequence_rpc_lane_total') ?? 0,
      requests: requests.reduce((sum, [, count]) => sum + count, 0),
    };
  }
}

interface Twin {
  readonly app: App;
  readonly url: string;
  readonly file: string;
  readonly sender: Sender;
}

async function startTwin(folder: string, lane: 'on' | 'off'): Promise<Twin> {
  const file = join(folder, `${lane}.db`);
  const config = loadConfig({
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: `sqlite:///${file}`,
    MAX_BODY_BYTES: String(MAX_BODY_BYTES),
    CORS_ORIGINS: ORIGIN,
    LANE: lane,
  });
  const app = createApp(config, { now: () => Date.UTC(2026, 10, 24) });
  const { port } = await app.start();
  return { app, url: `http://127.0.0.1:${port}`, file, sender: new Sender(port) };
}

/** The metrics, once nothing runs any more. */
async function settled(url: string): Promise<ReadonlyMap<string, number>> {
  for (let i = 0; ; i++) {
    const page = await metricsOf(url);
    if (page.get('sequence_rpc_in_flight') === 0 || i > 100) return page;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What each sequence holds that the cases could have written. */
async function rows(url: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const scope of ['', 'play', 'p0', 'p1', 'p2', 'p3', 'p4'])
    for (let elementType = 1; elementType <= 5; elementType++) {
      const response = await fetch(`${url}/fountain.sequence.v1.SequenceService/ListElements`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ scope, elementType, pageSize: 1_000, includeContent: true }),
      });
      found[`${scope}/${elementType}`] = await response.json();
    }
  return found;
}

const COUNTED =
  /^sequence_(rpc_duration_seconds_count|requests_refused_total|rpc_in_flight|writer_batch_size_sum)/;

function counted(page: ReadonlyMap<string, number>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, count] of page) {
    // Of a ListParked whose client went away nobody knows whether it was still running.
    if (!COUNTED.test(name) || name.includes('ListParked')) continue;
    // Counted below the lane, and only if it is read before the client has cut the connection.
    if (name.includes('malformed_request')) continue;
    counts[name] = count;
  }
  return counts;
}

/** Of two lists of replies, those that are not equal. */
function apart(stock: readonly Reply[], lane: readonly Reply[]): string {
  const longer = stock.length > lane.length ? stock : lane;
  return longer
    .map((_, i) => ({ reply: i, stock: stock[i], lane: lane[i] }))
    .filter((pair) => !isDeepStrictEqual(pair.stock, pair.lane))
    .map((pair) => show(pair))
    .join('\n');
}

/** The entries of two records that are not equal. */
function differing(stock: Record<string, unknown>, lane: Record<string, unknown>): string {
  const names = new Set([...Object.keys(stock), ...Object.keys(lane)]);
  return [...names]
    .filter((name) => !isDeepStrictEqual(stock[name], lane[name]))
    .map((name) => `${name}: stock ${show(stock[name])}, lane ${show(lane[name])}`)
    .join('\n');
}

function show(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner) => {
      if (inner?.type !== 'Buffer') return inner;
      return Buffer.from(inner.data)
        .toString('latin1')
        .replace(/ {100,}/, (blanks) => `<${blanks.length} blanks>`);
    },
    1,
  );
}
