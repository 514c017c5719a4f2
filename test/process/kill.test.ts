import { expect, test } from 'vitest';
import { h1Caller, h2Caller } from '../support/caller.ts';
import { cli } from '../support/command.ts';
import { startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { compare, retry, writeUntilCutOff } from './authors.ts';
import { Author, replay, type SequenceName } from './history.ts';

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
