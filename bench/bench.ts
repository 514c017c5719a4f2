import { create, toBinary } from '@bufbuild/protobuf';
import { ElementType, GenerateRequestSchema } from '../gen/fountain/sequence/v1/sequence_pb.js';
import { type Figure, figureOf, ratios } from './arithmetic.ts';
import type { Capabilities } from './capabilities.ts';
import { type Generator, generatorFor, type Load, type LoadResult, runLoad, type Wire } from './load/load.ts';
import { callOnce } from './load/once.ts';
import type { Progress } from './progress.ts';
import { type Finding, type Row, rowOf, type SideResult } from './results.ts';
import { type BenchServer, type ServerOptions, startServer, startStockAdapter } from './server.ts';
import { type EngineName, SCOPE, type Store, type Stores } from './stores.ts';
import { printRow } from './table.ts';

/** A group of rows. */
export interface Scenario {
  readonly name: string;
  /** One line, for --list. */
  readonly about: string;
  /** Too long for every run. */
  readonly onlyByName?: boolean;
  run(bench: Bench): Promise<void>;
}

/** What a service is loaded with. */
export type ServiceLoad = Pick<Load, 'call' | 'wire' | 'callers'> &
  Partial<Pick<Load, 'headers' | 'cores'>> & {
    readonly scope?: string;
    readonly sequences?: number;
    readonly elements?: number;
  };

/** One side of a comparison: a service under load. */
export interface ServiceSide {
  readonly label: string;
  readonly server: BenchServer;
  readonly load: ServiceLoad;
  /** Before each of its runs, unmeasured; what it returns goes over `load`. */
  readonly before?: () => Promise<Partial<ServiceLoad>>;
}

/** One side of a comparison that is measured in a way of its own. */
export interface OwnSide {
  readonly label: string;
  readonly generator: string;
  run(seconds: number): Promise<LoadResult>;
}

export type Side = ServiceSide | OwnSide;

/** Where a comparison does not take the command line's. */
export interface Effort {
  readonly rounds?: number;
  readonly seconds?: number;
  /** Warms up with the first side only. */
  readonly shortWarmUp?: boolean;
}

/** What the rounds of one side gave. */
export interface Measured extends SideResult {
  readonly results: readonly LoadResult[];
}

/** Elements of a database that nothing is said of. */
export const USUAL_ELEMENTS = 1_000;

/** What a scenario works with. Servers and databases that it opens here end with it. */
export class Bench {
  readonly capabilities: Capabilities;
  readonly stores: Stores;
  readonly progress: Progress;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: Row[] = [];
  readonly #closers: (() => Promise<void>)[] = [];
  #firstId = 100_000_000;

  constructor(options: Readonly<Pick<Bench, 'capabilities' | 'stores' | 'progress' | 'rounds' | 'seconds'>>) {
    this.capabilities = options.capabilities;
    this.stores = options.stores;
    this.progress = options.progress;
    this.rounds = options.rounds;
    this.seconds = options.seconds;
  }

  /** The engines of this build. */
  get engines(): readonly EngineName[] {
    return this.capabilities.postgres ? ['sqlite', 'postgres'] : ['sqlite'];
  }

  /** A service on a database of its own. Without anything said the stock adapter serves, not the lane. */
  async server(
    options: Partial<ServerOptions> & {
      readonly engine?: EngineName;
      readonly elements?: number;
      readonly lane?: 'on' | 'off';
    } = {},
  ): Promise<BenchServer & { readonly store: Store }> {
    const { engine = 'sqlite', elements = USUAL_ELEMENTS } = options;
    this.progress.step(`a service on ${engine} with ${elements.toLocaleString('en')} elements`);
    const store = await this.store(engine, elements);
    return { store, ...(await this.serve(store, options)) };
  }

  async store(engine: EngineName, elements: number): Promise<Store> {
    const store = await this.stores.make(engine, elements);
    this.#closers.push(() => store.drop());
    return store;
  }

  /** A service on a database that is there. */
  async serve(
    store: Store,
    options: Partial<ServerOptions> & { readonly lane?: 'on' | 'off' } = {},
  ): Promise<BenchServer> {
    const { lane = 'off', env = {}, cores = 0, flags = [] } = options;
    const lanes = this.capabilities.variable('LANE') ? { LANE: lane } : {};
    const server = await startServer({ databaseUrl: store.url, cores, flags, env: { ...lanes, ...env } });
    this.#closers.push(server.stop);
    return server;
  }

  /** connect-node's adapter as it comes, with an RPC that does nothing. */
  async stockAdapter(wire: Wire): Promise<BenchServer> {
    const server = await startStockAdapter(wire);
    this.#closers.push(server.stop);
    return server;
  }

  /** Calls `stop` when the scenario has ended. */
  onEnd(stop: () => Promise<void>): void {
    this.#closers.push(stop);
  }

  /** Alternates the sides, A B A B …, after a round that warms up and does not count. */
  async measure(title: string, sides: readonly Side[], effort: Effort = {}): Promise<Measured[]> {
    const { rounds = this.rounds, seconds = this.seconds, shortWarmUp = false } = effort;
    const loads = sides.flatMap((side) => ('load' in side ? [side.load] : []));
    const generator =
      loads[0] &&
      generatorFor(
        loads[0].wire,
        loads.map(({ call }) => call),
      );
    const results: LoadResult[][] = sides.map(() => []);
    for (let round = 0; round <= rounds; round++)
      for (const [index, side] of sides.entries()) {
        if (round === 0 && shortWarmUp && index > 0) continue;
        const which = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`;
        this.progress.step(`${title}: ${which}, ${side.label}`);
        const result = await ('load' in side ? this.run(generator!, side, seconds) : side.run(seconds));
        if (round > 0) results[index]!.push(result);
      }
    return sides.map((side, index) =>
      measured(side.label, 'load' in side ? generator! : side.generator, results[index]!),
    );
  }

  /** Measures two sides and records the first's throughput by the second's. */
  async compare(id: string, title: string, sides: readonly [Side, Side]): Promise<void> {
    const [above, below] = await this.measure(title, sides);
    this.record(ratioOf(id, title, above!, below!));
  }

  /** Repeats what gives one value, after a run that does not count. */
  async repeat(title: string, action: (round: number) => Promise<number>, warmUp = true): Promise<Figure> {
    const values: number[] = [];
    for (let round = warmUp ? 0 : 1; round <= this.rounds; round++) {
      this.progress.step(round === 0 ? `${title}: warm-up` : `${title}: round ${round} of ${this.rounds}`);
      const value = await action(round);
      if (round > 0) values.push(value);
    }
    return figureOf(values);
  }

  record(finding: Finding): void {
    const row = rowOf(finding);
    this.rows.push(row);
    this.progress.clear();
    printRow(row);
  }

  /** Ids that no call of this bench has used or will use. */
  freshIds(): number {
    this.#firstId += 10_000_000;
    return this.#firstId;
  }

  /** The generator for a load that is not compared. */
  generatorOf({ wire, call }: ServiceLoad): Generator {
    return generatorFor(wire, [call]);
  }

  /** One run against a service, with ids that nobody else uses. */
  async run(
    generator: Generator,
    { server, load, before }: ServiceSide,
    seconds: number,
  ): Promise<LoadResult> {
    const {
      scope = SCOPE,
      sequences = 1,
      elements = USUAL_ELEMENTS,
      ...rest
    } = { ...load, ...(await before?.()) };
    if (load.call !== 'empty') await this.#settled(server.url, rest.headers);
    return await runLoad(generator, {
      ...rest,
      counted: server.counted,
      url: server.url,
      seconds,
      numbers: { scope, sequences, elements, firstId: this.freshIds() },
    });
  }

  /** Waits for what the callers of the last run have left in the writer: this write comes after it. */
  async #settled(url: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    const elementId = BigInt(this.freshIds());
    const request = { scope: SCOPE, elementType: ElementType.SCRIPT, elementId };
    const body = toBinary(GenerateRequestSchema, create(GenerateRequestSchema, request));
    await callOnce(url, 'Generate', body, headers);
  }

  /** Ends what the scenario has opened, the newest first. */
  async close(): Promise<void> {
    this.progress.step('stopping');
    for (const close of this.#closers.splice(0).toReversed()) await close();
  }
}

/** The row of one side's throughput by another's. */
export function ratioOf(id: string, title: string, above: Measured, below: Measured): Finding {
  const value = ratios(above.perSecond.values, below.perSecond.values);
  return { id, title, unit: 'ratio', value, sides: [above, below].map(sideOf) };
}

/** What of a side goes into the results. */
export function sideOf({ label, generator, perSecond, p50, p99 }: Measured): SideResult {
  return { label, generator, perSecond, p50, p99 };
}

function measured(label: string, generator: string, results: readonly LoadResult[]): Measured {
  const of = (pick: (result: LoadResult) => number) => figureOf(results.map(pick));
  return {
    label,
    generator,
    results,
    perSecond: of(({ perSecond }) => perSecond),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
  };
}
