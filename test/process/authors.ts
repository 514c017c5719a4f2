import { expect } from 'vitest';
import type { Caller } from '../support/caller.ts';
import type { Author, Expected, SentWrite, SequenceName } from './history.ts';

/** Each of an author's writes succeeds, until the connection breaks. */
export async function writeUntilCutOff(author: Author, call: Caller): Promise<void> {
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
export async function retry(writes: readonly SentWrite[], call: Caller): Promise<void> {
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
export async function compare(call: Caller, sequence: SequenceName, expected: Expected): Promise<void> {
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
