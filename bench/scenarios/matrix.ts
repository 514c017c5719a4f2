import type { Bench, Scenario, ServiceLoad, Side } from '../bench.ts';
import { sideOf } from '../bench.ts';
import type { CallName } from '../load/calls.ts';
import type { BenchServer } from '../server.ts';
import { type EngineName, fill } from '../stores.ts';

const CALLERS = [1, 16, 64, 256];
const CALLS: readonly (readonly [CallName, string])[] = [
  ['generate', 'Generate'],
  ['batchGenerate', 'BatchGenerate of 100'],
  ['reorder', 'Reorder of 10'],
  ['move', 'Move to the first place of 1,000'],
  ['createVersion', 'CreateVersion'],
  ['remove', 'Remove of the last'],
  ['getElement', 'GetElement'],
  ['getVersion', 'GetVersion'],
  ['listElements', 'ListElements, 50'],
  ['listVersions', 'ListVersions'],
  ['getSequence', 'GetSequence'],
];
/** More than any service removes in a second. */
const REMOVED_PER_SECOND = 40_000;

/** A wide look rather than a sharp one: two rounds, short ones, no ratios. */
export const matrix: Scenario = {
  name: 'matrix',
  about: 'each write, read and batch RPC at 1, 16, 64 and 256 callers on each engine; 1 against 64 sequences',
  async run(bench: Bench) {
    const effort = {
      rounds: Math.min(bench.rounds, 2),
      seconds: Math.max(1, Math.floor(bench.seconds / 3)),
      shortWarmUp: true,
    };
    for (const engine of bench.engines) {
      const server = await bench.server({ engine });
      const fresh = await sequenceForEach(engine);
      for (const [call, what] of CALLS) {
        const sides = CALLERS.map((callers): Side => {
          const load: ServiceLoad = { call, wire: 'json', callers };
          const before = () => fresh(server, effort.seconds);
          return { label: `${callers} callers`, server, load, ...(call === 'remove' ? { before } : {}) };
        });
        for (const [index, measured] of (await bench.measure(what, sides, effort)).entries())
          bench.record({
            id: `matrix/${engine}/${call}/${CALLERS[index]}`,
            title: `${what}, ${engine}, json, ${CALLERS[index]} callers`,
            unit: 'per second',
            value: measured.perSecond,
            sides: [sideOf(measured)],
          });
      }
      const load = { call: 'generate', wire: 'json', callers: 64 } as const;
      await bench.compare(
        `sequences/${engine}`,
        `Generate into 64 sequences ÷ into one, ${engine}, 64 callers`,
        [
          { label: '64 sequences', server, load: { ...load, scope: 'many', sequences: 64 } },
          { label: 'one sequence', server, load },
        ],
      );
    }
  },
};

/** Removing needs something to remove: a sequence of its own for each run. */
async function sequenceForEach(engine: EngineName) {
  let made = 0;
  return async (server: BenchServer, seconds: number): Promise<Partial<ServiceLoad>> => {
    const scope = `gone-${engine}-${made++}`;
    const elements = REMOVED_PER_SECOND * seconds;
    await fill(server.url, scope, elements);
    return { scope, elements };
  };
}
