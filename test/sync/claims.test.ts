import { expect, onTestFinished, test } from 'vitest';
import { SyncReads } from '../../src/db/queries/sync.ts';
import { type Claim, MemoryClaims } from '../../src/sync/claims.ts';
import { ENGINE } from '../engines/index.ts';
import { startAppOn } from '../support/app.ts';
import { sequenceClient } from '../support/clients.ts';
import { AT } from './harness.ts';

const MIB = 1024 * 1024;
/** Later than every mark of the test. */
const NOW = Date.now() + 3_600_000;

/** A database without a target, so that all that is marked stays so, and claims on it. */
async function start(leaseMs = 1_000) {
  const { url, file } = await startAppOn(await ENGINE.newPlace());
  const source = await ENGINE.openReader(file);
  onTestFinished(async () => {
    if (source.isInitialized) await source.destroy();
  });
  const client = sequenceClient(url);
  const generate = (first: number, last: number, content?: { text: string }) =>
    client.batchGenerate({
      ...AT,
      items: Array.from({ length: last - first + 1 }, (_, index) => ({
        elementId: BigInt(first + index),
        ...(content === undefined ? {} : { content }),
      })),
    });
  return {
    client,
    source,
    generate,
    claims: new MemoryClaims({
      reads: new SyncReads(source, ENGINE.engine),
      writer: { join: () => Promise.reject(new Error('nothing is settled here')) },
      leaseMs,
      now: () => NOW,
      generation: () => 1,
    }),
  };
}

const take = async (claims: MemoryClaims, documents: number, bytes = 4 * MIB) =>
  await claims.take({ documents, bytes });
const elements = (claims: readonly Claim[]) => claims.map(({ due }) => due.elementId);

test('what is held is not taken again; what is given back is', async () => {
  const { generate, claims } = await start();
  await generate(1, 10);
  const first = await take(claims, 4);
  const second = await take(claims, 4);
  expect(elements([...first.claims, ...second.claims])).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect([first.more, second.more, claims.held]).toEqual([true, true, 8]);
  expect(elements((await take(claims, 4)).claims)).toEqual([9, 10]);
  expect(await take(claims, 4)).toEqual({ claims: [], more: false });
  claims.release(first.claims);
  expect(elements((await take(claims, 3)).claims)).toEqual([1, 2, 3]);
  expect(claims.held).toBe(9);
});

test('what becomes due behind the place that was reached is found, however much is held', async () => {
  const { generate, claims } = await start();
  await generate(100, 199);
  await take(claims, 40);
  await generate(1, 3);
  const found: number[] = [];
  for (let round = 0; round < 8; round++) found.push(...elements((await take(claims, 20)).claims));
  expect(found.toSorted((a, b) => a - b)).toEqual([
    1,
    2,
    3,
    ...Array.from({ length: 60 }, (_, index) => 140 + index),
  ]);
  expect((await take(claims, 20)).more).toBe(false);
});

test('what is given back while a claim reads is not in it: it may have been read before it was settled', async () => {
  const { generate, claims } = await start();
  await generate(1, 10);
  const { claims: first } = await take(claims, 20);
  const reading = take(claims, 20);
  claims.release(first);
  expect(await reading).toEqual({ claims: [], more: false });
  expect(claims.held).toBe(0);
  expect((await take(claims, 20)).claims).toHaveLength(10);
});

test('one claim at a time', async () => {
  const { generate, claims } = await start();
  await generate(1, 2);
  const first = take(claims, 1);
  await expect(take(claims, 1)).rejects.toThrow('one claim at a time');
  expect((await first).claims).toHaveLength(1);
});

test('a claim that fails holds nothing', async () => {
  const { generate, claims, source } = await start();
  await generate(1, 3);
  await source.destroy();
  await expect(take(claims, 3)).rejects.toThrow();
  expect(claims.held).toBe(0);
});

test('a claim holds so much content at most, and one document at least', async () => {
  const { generate, claims } = await start();
  await generate(1, 8, { text: 'x'.repeat(100_000) });
  expect((await take(claims, 100, 350_000)).claims).toHaveLength(3);
  expect((await take(claims, 100, 10)).claims).toHaveLength(1);
  const { claims: last } = await take(claims, 100);
  expect(last).toHaveLength(4);
  expect(last[0]!.state).toMatchObject({ content: expect.stringMatching(/^\{"text":"x{100000}"\}$/) });
});

test('a claim carries what the database implies, null for what is gone', async () => {
  const { client, generate, claims } = await start();
  await generate(1, 2);
  await client.createVersion({ ...AT, elementId: 1n, comment: 'second' });
  await client.remove({ ...AT, elementId: 2n });
  const { claims: first } = await take(claims, 10);
  // The first version waits until the second one's document is clean.
  expect(first.map(({ id, state }) => [id, state?.isLatest, state?.comment])).toEqual([
    ['play_section_1_2', true, 'second'],
    ['play_section_2_1', undefined, undefined],
  ]);
  expect(first[1]!.state).toBeNull();
});

test('a document goes its way, and no other', async () => {
  const { generate, claims } = await start();
  await generate(1, 2);
  const [one, other] = (await take(claims, 2)).claims as [Claim, Claim];
  expect(() => one.advance('settling')).toThrow('play_section_1_1 is claimed, and cannot be settling');
  one.advance('sending');
  expect(() => claims.release([one])).toThrow('is sending, and cannot be released');
  one.advance('settling');
  expect(() => one.state).toThrow('has been sent');
  claims.release([one, other]);
  expect(() => claims.release([other])).toThrow('is released, and cannot be released');
});
