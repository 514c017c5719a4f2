import { readFileSync } from 'node:fs';
import type { JsonObject } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blockContent, blockOf, scriptContent, scriptOf } from '../../src/cli/fountain/content.ts';
import { type Screenplay, TYPE_OF_KIND } from '../../src/cli/fountain/model.ts';
import { parseFountain } from '../../src/cli/fountain/parse.ts';
import { readLines } from '../../src/cli/fountain/source.ts';
import { writeFountain } from '../../src/cli/fountain/write.ts';
import { longPlay, playText } from './import-plays.ts';

const parse = (text: string) => parseFountain(Buffer.from(text));
const write = ({ script, blocks }: Screenplay) =>
  writeFountain(
    script,
    blocks.map(({ body }) => body),
  );

/** The normal form: what export promises to give back byte by byte. */
function normal(text: string): string {
  const lines = readLines(Buffer.from(text));
  return `${lines.slice(lines.findIndex((line) => line !== '')).join('\n')}\n`;
}

/** As the service gives it back: JSON, the keys in another order. */
function throughService(content: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(JSON.parse(JSON.stringify(content)) as JsonObject).toSorted());
}

describe('a screenplay comes back', () => {
  test('byte by byte, where it is in its normal form', () => {
    fc.assert(
      fc.property(playText, (text) => {
        const once = write(parse(text));
        expect(once).toBe(normal(text));
        expect(normal(once)).toBe(once);
        const body = ({ blocks, script }: Screenplay) => [script, blocks.map((block) => block.body)];
        expect(body(parse(once))).toEqual(body(parse(text)));
      }),
      { numRuns: process.env['LONG'] ? 20_000 : 1_500 },
    );
  });

  test('from the contents alone', () => {
    fc.assert(
      fc.property(playText, (text) => {
        const { script, blocks } = parse(text);
        expect(scriptOf(throughService(scriptContent(script)))).toEqual(script);
        for (const { body, line } of blocks)
          expect(
            blockOf(TYPE_OF_KIND[body.kind], throughService(blockContent({ body, scene: 3, line }))),
          ).toEqual({ body, scene: 3, line });
      }),
      { numRuns: 300 },
    );
  });

  test.each(['the-lighthouse-keeper'])('examples/%s.fountain', (name) => {
    const text = readFileSync(new URL(`../../examples/${name}.fountain`, import.meta.url), 'utf8');
    expect(write(parse(text))).toBe(text);
  });

  test('a long one, without its texts twice', () => {
    const { blocks, script } = parse(longPlay(30));
    expect(write({ blocks, script })).toBe(normal(longPlay(30)));
    expect(blocks.filter(({ body }) => body.source !== undefined)).toEqual([]);
  });
});

describe('a text that was changed by the API', () => {
  test.each([
    ['scene', 'the quiet room', '.the quiet room\n'],
    ['scene', 'INT. ROOM', 'INT. ROOM\n'],
    ['action', 'INT. ROOM', '!INT. ROOM\n'],
    ['action', 'One.\n\nTwo.', 'One.\n  \nTwo.\n'],
    ['transition', 'Fade away', '> Fade away\n'],
    ['centered', 'The End', '> The End <\n'],
  ] as const)('%s %j is written as %j', (kind, text, written) => {
    const stale = { kind, text, source: 'what it was before' };
    expect(writeFountain({ kind: 'script', text: '' }, [stale])).toBe(written);
  });

  test('a name in small letters is forced', () => {
    const body = { kind: 'dialogue', text: 'Aye.', character: 'McAvoy' } as const;
    expect(writeFountain({ kind: 'script', text: '' }, [body])).toBe('@McAvoy\nAye.\n');
  });
});
