import { describe, expect, test } from 'vitest';
import { ElementType } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { startApp } from '../support/app.ts';
import { type SequenceClient, sequenceClient } from '../support/clients.ts';
import { contentOf } from './bad-messages.ts';

const AT = { scope: 'play', elementType: ElementType.SCRIPT };

async function startWith(count: number): Promise<SequenceClient> {
  const client = sequenceClient((await startApp()).url);
  for (let from = 1; from <= count; from += 1_000) {
    const length = Math.min(1_000, count - from + 1);
    await client.batchGenerate({
      ...AT,
      items: Array.from({ length }, (_, i) => ({ elementId: BigInt(from + i) })),
    });
  }
  return client;
}

describe('ListElements', () => {
  test('pages hold 50 by default and 1,000 at most, and all pages together hold every element once', async () => {
    const client = await startWith(2_345);
    expect((await client.listElements(AT)).elements).toHaveLength(50);
    expect((await client.listElements({ ...AT, pageSize: 1_001 })).elements).toHaveLength(1_000);
    expect((await client.listElements({ ...AT, pageSize: 2 ** 31 - 1 })).elements).toHaveLength(1_000);
    const ids: bigint[] = [];
    const sizes: number[] = [];
    let pageToken = '';
    do {
      const page = await client.listElements({ ...AT, pageSize: 999, pageToken });
      expect(page.totalSize).toBe(2_345);
      ids.push(...page.elements.map(({ elementId }) => elementId));
      sizes.push(page.elements.length);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(ids).toEqual(Array.from({ length: 2_345 }, (_, i) => BigInt(i + 1)));
    expect(sizes).toEqual([999, 999, 347]);
  });

  test('start at a number; the end is a page without a token, beyond it is an empty one', async () => {
    const client = await startWith(10);
    const numbers = async (startSequenceNumber: number, pageSize: number) => {
      const { elements, nextPageToken } = await client.listElements({ ...AT, startSequenceNumber, pageSize });
      return [elements.map(({ sequenceNumber }) => sequenceNumber), nextPageToken !== ''];
    };
    expect(await numbers(0, 2)).toEqual([[1, 2], true]);
    expect(await numbers(1, 2)).toEqual([[1, 2], true]);
    expect(await numbers(8, 2)).toEqual([[8, 9], true]);
    expect(await numbers(8, 3)).toEqual([[8, 9, 10], false]);
    expect(await numbers(11, 3)).toEqual([[], false]);
    expect(await numbers(2 ** 31 - 1, 3)).toEqual([[], false]);
  });

  test('the page size may change from page to page; order_revision tells that the order has changed', async () => {
    const client = await startWith(6);
    const first = await client.listElements({ ...AT, pageSize: 2 });
    const token = { pageToken: first.nextPageToken };
    const second = await client.listElements({ ...AT, ...token, pageSize: 3 });
    expect(second.elements.map(({ elementId }) => elementId)).toEqual([3n, 4n, 5n]);
    expect(second.orderRevision).toBe(first.orderRevision);
    await client.createVersion({ ...AT, elementId: 1n });
    const same = await client.listElements({ ...AT, ...token });
    expect([same.orderRevision, same.revision]).toEqual([first.orderRevision, first.revision + 1n]);
    await client.move({ ...AT, elementId: 6n, target: { case: 'first', value: true } });
    const moved = await client.listElements({ ...AT, ...token });
    expect(moved.orderRevision).toBeGreaterThan(first.orderRevision);
    expect(moved.elements.map(({ elementId }) => elementId)).toEqual([2n, 3n, 4n, 5n]);
  });

  test('a token whose place is gone leads to an empty last page', async () => {
    const client = await startWith(3);
    const { nextPageToken } = await client.listElements({ ...AT, pageSize: 2 });
    await client.remove({ ...AT, elementId: 3n });
    const page = await client.listElements({ ...AT, pageToken: nextPageToken });
    expect([page.elements, page.nextPageToken, page.totalSize]).toEqual([[], '', 2]);
  });

  test('a token outlives the process, and works in another protocol', async () => {
    const { url } = await startApp();
    const client = sequenceClient(url);
    for (const elementId of [1n, 2n]) await client.generate({ ...AT, elementId });
    const { nextPageToken } = await client.listElements({ ...AT, pageSize: 1 });
    const page = await sequenceClient(url, 'grpc').listElements({ ...AT, pageToken: nextPageToken });
    expect(page.elements.map(({ elementId }) => elementId)).toEqual([2n]);
  });
});

describe('a page ends early at 2 MiB', () => {
  test('of elements with content; without, content counts for nothing and is not there', async () => {
    const client = await startWith(0);
    const content = contentOf(262_144);
    for (let i = 1; i <= 9; i++) await client.generate({ ...AT, elementId: BigInt(i), content });
    const page = await client.listElements({ ...AT, includeContent: true });
    // Eight of them would be 2 MiB and their comments: too much.
    expect(page.elements.map(({ elementId }) => elementId)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n]);
    expect(
      page.elements.every((element) => JSON.stringify(element.content) === JSON.stringify(content)),
    ).toBe(true);
    const rest = await client.listElements({ ...AT, includeContent: true, pageToken: page.nextPageToken });
    expect(rest.elements.map(({ elementId }) => elementId)).toEqual([8n, 9n]);
    expect(rest.nextPageToken).toBe('');
    const bare = await client.listElements(AT);
    expect(bare.elements).toHaveLength(9);
    expect(bare.elements.every((element) => element.content === undefined)).toBe(true);
  });

  test('of comments', async () => {
    const client = await startWith(0);
    const comment = 'x'.repeat(4_096);
    const items = Array.from({ length: 600 }, (_, i) => ({ elementId: BigInt(i + 1), comment }));
    await client.batchGenerate({ ...AT, items });
    const { elements } = await client.listElements({ ...AT, pageSize: 1_000 });
    expect(elements.length).toBeGreaterThan(490);
    expect(elements.length).toBeLessThanOrEqual(512);
  });

  test('of versions', async () => {
    const client = await startWith(1);
    for (let i = 0; i < 9; i++)
      await client.createVersion({ ...AT, elementId: 1n, content: contentOf(262_144) });
    const query = { ...AT, elementId: 1n, includeContent: true };
    const page = await client.listVersions(query);
    expect(page.versions.map(({ versionNumber }) => versionNumber)).toEqual([10, 9, 8, 7, 6, 5, 4]);
    const rest = await client.listVersions({ ...query, pageToken: page.nextPageToken });
    expect(rest.versions.map(({ versionNumber }) => versionNumber)).toEqual([3, 2, 1]);
    expect(rest.nextPageToken).toBe('');
  });
});

test('ListVersions: newest first, every version once, also where new ones come in between', async () => {
  const client = await startWith(1);
  for (let i = 2; i <= 7; i++) await client.createVersion({ ...AT, elementId: 1n, comment: `v${i}` });
  const seen: number[] = [];
  let pageToken = '';
  do {
    const page = await client.listVersions({ ...AT, elementId: 1n, pageSize: 3, pageToken });
    seen.push(...page.versions.map(({ versionNumber }) => versionNumber));
    pageToken = page.nextPageToken;
    await client.createVersion({ ...AT, elementId: 1n });
  } while (pageToken !== '');
  expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1]);
});
