import { getHeapSpaceStatistics } from 'node:v8';

/** V8's name of the space in which what was just made lives. */
const YOUNG = 'new_space';
/**
 * From here on a collection is worth its fixed cost. V8 itself begins one when some 12 are filled of the 16 MiB that
 * `npm start` gives.
 */
const WORTH_BYTES = 6 * 1024 * 1024;

let planned = false;

/**
 * Has the young garbage collected as soon as the answers that were just given are on their way: what a collection of
 * the young costs is what it finds alive, and then that is least (ADR 15). Does nothing where Node was started without
 * `--expose-gc`: V8 then chooses the moment.
 */
export function collectAfterAnswers(): void {
  if (planned || globalThis.gc === undefined) return;
  planned = true;
  // By then the events that tell of a written answer have been, and few of the next requests have been read.
  setImmediate(collect);
}

function collect(): void {
  planned = false;
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === YOUNG);
  if (young !== undefined && young.space_used_size >= WORTH_BYTES)
    globalThis.gc?.({ type: 'minor', execution: 'sync' });
}
