import { classify } from './classify.ts';
import { compose } from './compose.ts';
import { blockContent, contentBytes, MAX_CONTENT_BYTES, scriptContent } from './content.ts';
import { type Block, type Fault, FountainError, type Meaning, type Screenplay } from './model.ts';
import { MAX_FAULTS, readLines } from './source.ts';
import { type RawBlock, splitBlocks } from './split.ts';
import { readTitlePage } from './title-page.ts';

/**
 * Reads a screenplay in the Fountain format.
 *
 * @throws FountainError where the bytes are not one, with line numbers
 */
export function parseFountain(bytes: Uint8Array): Screenplay {
  const all = readLines(bytes);
  const start = all.findIndex((line) => line !== '');
  const title = readTitlePage(all.slice(start, endOfFirstBlock(all, start)));
  const body = start + title.lines;
  const raw = splitBlocks(all.slice(body), body + 1);
  const blocks = withLeftSpeeches(raw.map((block) => classify(block.source))).map((meaning, at) =>
    blockOf(raw[at]!, meaning, at === 0 && title.lines === 0),
  );
  const faults = [
    ...tooLarge('title page', start + 1, contentBytes(scriptContent(title.script))),
    ...blocks.flatMap(({ body, line }) =>
      tooLarge(
        'block',
        line,
        contentBytes(blockContent({ body, scene: Number.MAX_SAFE_INTEGER, line: Math.PI })),
      ),
    ),
  ];
  if (faults.length > 0) throw new FountainError(faults.slice(0, MAX_FAULTS));
  return { script: title.script, blocks };
}

function tooLarge(what: string, line: number, bytes: number): Fault[] {
  if (bytes <= MAX_CONTENT_BYTES) return [];
  const text = `the ${what} that begins here takes ${bytes} bytes as content; ${MAX_CONTENT_BYTES} are the most`;
  return [{ line, text }];
}

/** @param leads whether nothing stands before it */
function blockOf({ source, line, blank }: RawBlock, meaning: Meaning, leads: boolean): Block {
  const body = {
    ...meaning,
    ...(compose(meaning) !== source && { source }),
    ...(!leads && blank !== 1 && { blank }),
  };
  return { body, line };
}

/** A speech whose next one is spoken at the same time is the left one of the two. */
function withLeftSpeeches(meanings: readonly Meaning[]): Meaning[] {
  return meanings.map((meaning, at) => {
    const left =
      meaning.kind === 'dialogue' && meaning.dual === undefined && meanings[at + 1]?.dual === 'right';
    return left ? { ...meaning, dual: 'left' } : meaning;
  });
}

function endOfFirstBlock(lines: readonly string[], start: number): number {
  const end = lines.indexOf('', start);
  return end === -1 ? lines.length : end;
}
