import type { Answer, Answers } from './writes.ts';

/** The answer of a Reorder as it is stored: with an array for each element whose number changed. */
type StoredReorder = Omit<Answers['reorder'], 'moved'> & {
  readonly moved: readonly (readonly [elementId: number, oldNumber: number, newNumber: number])[];
};

/** An answer as JSON, as it is stored with the request id. */
export function storedAnswer(answer: Answer): string {
  if (!('moved' in answer)) return JSON.stringify(answer);
  const { elementIds, oldNumbers, newNumbers } = answer.moved;
  const stored: StoredReorder = {
    ...answer,
    moved: elementIds.map((id, index) => [id, oldNumbers[index]!, newNumbers[index]!]),
  };
  return JSON.stringify(stored);
}

/** The answer that {@link storedAnswer} has made a text of. */
export function recalledAnswer(text: string): Answer {
  const stored = JSON.parse(text) as Exclude<Answer, Answers['reorder']> | StoredReorder;
  if (!('moved' in stored)) return stored;
  return {
    ...stored,
    moved: {
      elementIds: stored.moved.map(([elementId]) => elementId),
      oldNumbers: stored.moved.map(([, oldNumber]) => oldNumber),
      newNumbers: stored.moved.map(([, , newNumber]) => newNumber),
    },
  };
}
