import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { compare } from '../process/authors.ts';
import { Author, replay, type SentWrite, type SequenceName } from '../process/history.ts';
import { type Answer, h1Caller, h2Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { until } from '../support/until.ts';

const AUTHORS = 12;
const SEQUENCES: readonly SequenceName[] = [
  { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' },
  { scope: 'book', elementType: 'ELEMENT_TYPE_SCRIPT' },
];
/** Errors that mean that nothing was written: the write is sent anew, as another request. */
const NOT_WRITTEN = ['DATABASE_UNAVAILABLE'];
/** Errors that leave it open: it is repeated under its request id. */
const OPEN = ['OUTCOME_UNKNOWN', 'DEADLINE_EXCEEDED'];

/** Authors who write on through bad weather. */
export interface Load {
  /** How many writes were answered, and how many errors there were, by reason. */
  readonly answered: number;
  readonly errors: ReadonlyMap<string, number>;
  /** Resolves when so many more writes have been answered, or errors met. */
  more(what: 'answers' | 'errors', count: number): Promise<void>;
  /** Stops, and checks that each answered write is there exactly once, in its place, and `verify` finds nothing. */
  check(file: string): Promise<void>;
}

/** Starts to write mixed things over kept connections of both kinds. */
export function load(port: number): Load {
  const authors = Array.from(
    { length: AUTHORS },
    (_, index) => new Author(SEQUENCES[index % SEQUENCES.length]!, 1 + index * 1_000_000),
  );
  const callers = [h1Caller(port), h2Caller(port)];
  const errors = new Map<string, number>();
  let answered = 0;
  let met = 0;
  let stopped = false;

  const settle = async (write: SentWrite, call: (typeof callers)[number]) => {
    let { body } = write;
    for (;;) {
      const answer = await call(write.method, body);
      if (answer.status === 200) {
        write.answer = answer;
        answered += 1;
        return;
      }
      const reason = reasonOf(answer);
      expect([...NOT_WRITTEN, ...OPEN], JSON.stringify(answer)).toContain(reason);
      errors.set(reason, (errors.get(reason) ?? 0) + 1);
      met += 1;
      if (NOT_WRITTEN.includes(reason)) body = { ...body, requestId: randomUUID() } as typeof body;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const running = authors.map(async (author, index) => {
    while (!stopped) await settle(author.next(), callers[index % 2]!);
  });

  return {
    get answered() {
      return answered;
    },
    errors,
    async more(what, count) {
      const before = what === 'answers' ? answered : met;
      // Ends with the failure of an author, where there is one.
      const failed = Promise.all(running).then(() => {});
      await Promise.race([
        failed,
        until(`${count} ${what}`, () => (what === 'answers' ? answered : met) - before >= count, 20_000),
      ]);
    },
    async check(file) {
      stopped = true;
      await Promise.all(running);
      const verified = await cli(['verify'], { DATABASE_URL: `sqlite:///${file}` });
      expect(verified).toMatchObject({ code: 0, stderr: '' });
      for (const sequence of SEQUENCES) {
        const writes = authors.flatMap(({ sent }) => sent.filter((write) => write.sequence === sequence));
        await compare(callers[0]!, sequence, replay(writes));
      }
    },
  };
}

export function reasonOf({ body }: Answer): string {
  const [detail] = (body['details'] ?? []) as { debug?: { reason?: string } }[];
  return detail?.debug?.reason ?? String(body['code']);
}
