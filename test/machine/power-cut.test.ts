import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { compare, retry, writeUntilCutOff } from '../process/authors.ts';
import { Author, replay, type SequenceName } from '../process/history.ts';
import { type Caller, h1Caller, h2Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { until } from '../support/until.ts';
import { MACHINE } from './capabilities.ts';
import { preload } from './preload.ts';

const ROUNDS = process.env['LONG'] === '1' ? 40 : 6;
const AUTHORS = 24;
/** Written beside them in large pieces, so that the log is copied into the database and begun anew now and then. */
const HEAVY: SequenceName = { scope: 'heavy', elementType: 'ELEMENT_TYPE_ACTION' };
const PIECES = 8;
const BATCHES_A_ROUND = 5;
const CONTENT = { text: 'x'.repeat(250_000) };
const SEQUENCES: readonly SequenceName[] = [
  { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' },
  { scope: 'book', elementType: 'ELEMENT_TYPE_SCRIPT' },
];

describe.skipIf(!MACHINE.preloads)('power cuts (needs: preloads)', () => {
  const start = preload();

  test('under load lose nothing that was acknowledged, whatever became of what was not synced', async () => {
    const random = seeded(8);
    const authors = Array.from(
      { length: AUTHORS },
      (_, index) => new Author(SEQUENCES[index % SEQUENCES.length]!, 1 + index * 1_000_000),
    );
    const sent = () => authors.flatMap((author) => author.sent);
    const unanswered = () => sent().filter(({ answer }) => answer === undefined);
    let file: string | undefined;
    let torn = 0;
    let heavy = 0;
    /** Generates one batch after the other until the connection breaks; `heavy` of them were acknowledged. */
    const writeHeavily = async (call: Caller) => {
      for (;;) {
        const items = Array.from({ length: PIECES }, (_, index) => ({
          elementId: heavy * PIECES + index + 1,
          content: CONTENT,
        }));
        const answer = await call('BatchGenerate', { ...HEAVY, items }).catch(() => undefined);
        if (answer === undefined) return;
        // That of the last round may have been committed without an answer.
        expect([200, 409]).toContain(answer.status);
        heavy += 1;
      }
    };
    for (let round = 0; round < ROUNDS; round++) {
      const service = await start({}, file);
      const callers = [h1Caller(service.port), h2Caller(service.port)];
      await retry(unanswered(), callers[0]!);
      const load = authors.map((author, index) => writeUntilCutOff(author, callers[index % 2]!));
      const before = heavy;
      load.push(writeHeavily(callers[0]!));
      await until('enough is written', () => heavy - before >= BATCHES_A_ROUND, 60_000);
      await sleep(random() * 300);
      service.child.kill('SIGKILL');
      await Promise.all(load);
      await service.ended;
      file = await service.powerCut(random);
      torn += unanswered().length;
      const verified = await cli(['verify'], { DATABASE_URL: `sqlite:///${file}` });
      expect(verified).toMatchObject({ code: 0, stderr: '' });
    }
    expect(torn).toBeGreaterThan(0);
    // 32 MiB of pages are a checkpoint.
    expect(heavy * PIECES * CONTENT.text.length).toBeGreaterThan(40 * 1024 * 1024);
    const service = await start({}, file);
    const call = h1Caller(service.port);
    await retry(unanswered(), call);
    const { body } = await call('GetSequence', HEAVY);
    expect([heavy * PIECES, (heavy + 1) * PIECES]).toContain(body['size']);
    for (const sequence of SEQUENCES) {
      const writes = sent().filter((write) => write.sequence === sequence);
      expect(writes.length).toBeGreaterThan(100);
      await compare(call, sequence, replay(writes));
    }
  }, 600_000);
});

/** The same numbers in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
