import { expect, test } from 'vitest';
import { type Caller, h1Caller, h2Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { Author, type Expected, replay, type SentWrite, type SequenceName } from './history.ts';

const ROUNDS = 4;
const AUTHORS = 32;
/** What a round acknowledges, at least, before the service is killed. */
const WRITES_A_ROUND = 300;

const SEQUENCES: readonly SequenceName[] = [
  { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' },
  { scope: 'play', elementType: 'ELEMENT_TYPE_SPOKEN_WORD' },
  { scope: 'book', elementType: 'ELEMENT_TYPE_SECTION' },
];

test('kill -9 in the middle of load loses nothing that was acknowledged, and doubles nothing', async () => {
  const authors = Array.from(
    { length: AUTHORS },
    (_, index) => new Author(SEQUENCES[index % SEQUENCES.length]!, 1 + index * 1_000_000),
  );
  const sent = () => authors.flatMap((author) => author.sent);
  const unanswered = () => sent().filter(({ answer }) => answer === undefined);
  let file: string | undefined;
  let cutOff = 0;

  for (let round = 0; round < ROUNDS; round++) {
    // The lock of the killed one is free, or this would not start.
    const service = await startService({
      env: { LOG_LEVEL: 'info', ...(file !== undefined && { DATABASE_URL: `sqlite:///${file}` }) },
    });
    file = service.file;
    const callers = [h1Caller(service.port), h2Caller(service.port)];
    await retry(unanswered(), callers[0]!);

    const before = sent().length;
    const load = authors.map((author, index) => writeUntilCutOff(author, callers[index % 2]!));
    await until('enough writes', () => sent().length - unanswered().length - before > WRITES_A_ROUND, 15_000);
    service.child.kill('SIGKILL');
    await Promise.all(load);
    expect((await service.ended).code).toBe('SIGKILL');
    cutOff += unanswered().length;
    const verified = await cli(['verify'], { DATABASE_URL: `sqlite:///${file}` });
    expect(verified).toMatchObject({ code: 0, stderr: '' });
  }

  expect(cutOff).toBeGreaterThan(0);
  const service = await startService({ env: { DATABASE_URL: `sqlite:///${file}` } });
  const call = h1Caller(service.port);
  await retry(unanswered(), call);
  const again = sent().filter((_, index) => index % 7 === 0);
  for (const { method, body, answer } of again) expect(await call(method, body)).toEqual(answer);
  for (const sequence of SEQUENCES) {
    const writes = sent().filter((write) => write.sequence === sequence);
    await compare(call, sequence, replay(writes));
  }
  service.child.kill('SIGTERM');
  expect((await service.ended).code).toBe(0);
}, 60_000);

/** Each of an author's writes succeeds, until the connection breaks. */
async function writeUntilCutOff(author: Author, call: Caller): Promise<void> {
  for (;;) {
    const write = author.next();
    try {
      write.answer = await call(write.method, write.body);
    } catch {
      return;
    }
    expect(write.answer, JSON.stringify(write)).toMatchObject({ status: 200 });
  }
}

/** Sends each twice at once, with the request id of the first attempt: both get one outcome. */
async function retry(writes: readonly SentWrite[], call: Caller): Promise<void> {
  await Promise.all(
    writes.map(async (write) => {
      const [one, other] = await Promise.all([1, 2].map(() => call(write.method, write.body)));
      expect(one, JSON.stringify(write)).toMatchObject({ status: 200 });
      expect(other).toEqual(one);
      write.answer = one!;
    }),
  );
}

/** The service holds just what the model does: order, numbers, and the comments of every version. */
async function compare(call: Caller, sequence: SequenceName, expected: Expected): Promise<void> {
  const size = expected.elements.length;
  const counters = await call('GetSequence', sequence);
  expect(counters.body).toMatchObject({ size, revision: String(expected.revision) });
  const page = { ...sequence, pageSize: 1_000 };
  const listed = await call('ListElements', page);
  expect(listed.body['nextPageToken']).toBeUndefined();
  expect(listed.body['elements']).toMatchObject(
    expected.elements.map(({ id, comments }, index) => ({
      elementId: String(id),
      sequenceNumber: index + 1,
      versionNumber: comments.length,
      comment: comments.at(-1),
    })),
  );
  for (const { id, comments } of expected.elements.filter((element) => element.comments.length > 1)) {
    const { body } = await call('ListVersions', { ...page, elementId: id });
    const versions = body['versions'] as { versionNumber: number; comment: string }[];
    expect(versions.map(({ versionNumber, comment }) => `${versionNumber} ${comment}`)).toEqual(
      comments.map((comment, index) => `${index + 1} ${comment}`).toReversed(),
    );
  }
}
