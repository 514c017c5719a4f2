import { setTimeout as sleep } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { ElementType, RemoveRequestSchema } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { figureOf } from '../arithmetic.ts';
import type { Bench, Scenario } from '../bench.ts';
import { absent } from '../capabilities.ts';
import { callOnce } from '../load/once.ts';
import { runOpenLoad } from '../load/open-loop.ts';
import { SCOPE } from '../stores.ts';

const ELEMENTS = 100_000;
/** Calls a second of the other writers: far from what would fill the service. */
const RATE = 200;
const SECONDS = 4;

export const remove: Scenario = {
  name: 'remove',
  about: 'Remove of the first of 100,000 elements, and what writers of other sequences see of it',
  async run(bench: Bench) {
    for (const engine of ['sqlite', 'postgres'] as const) {
      const id = `remove/${engine}/others-p99`;
      const title = `p99 of other writers while the first of 100,000 is removed, ${engine}`;
      if (!bench.engines.includes(engine)) {
        bench.record({ id, title, unit: 'ms', skipped: absent('PostgreSQL') });
        continue;
      }
      const server = await bench.server({ engine, elements: ELEMENTS + 1 });
      const taken: number[] = [];
      let first = 1n;
      const value = await bench.repeat(title, async (round) => {
        const load = runOpenLoad({
          url: server.url,
          call: 'generate',
          rate: RATE,
          seconds: SECONDS,
          connections: 256,
          numbers: { scope: 'others', sequences: 16, firstId: bench.freshIds(), elements: 1 },
        });
        await sleep(1_000);
        const request = { scope: SCOPE, elementType: ElementType.SCRIPT, elementId: first++ };
        const body = toBinary(RemoveRequestSchema, create(RemoveRequestSchema, request));
        const ms = await callOnce(server.url, 'Remove', body);
        if (round > 0) taken.push(ms);
        return (await load).p99;
      });
      bench.record({ id, title, unit: 'ms', value });
      bench.record({
        id: `remove/${engine}`,
        title: `Remove of the first of 100,000, ${engine}, while others write`,
        unit: 'ms',
        value: figureOf(taken),
      });
    }
  },
};
