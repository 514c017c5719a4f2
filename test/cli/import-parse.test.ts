import { describe, expect, test } from 'vitest';
import { FountainError } from '../../src/cli/fountain/model.ts';
import { parseFountain } from '../../src/cli/fountain/parse.ts';
import { MAX_LINE_LENGTH } from '../../src/cli/fountain/source.ts';

const parse = (text: string | Uint8Array) => parseFountain(Buffer.from(text));
const bodies = (text: string) => parse(text).blocks.map(({ body }) => body);

describe('constructs', () => {
  test.each([
    ['INT. LIGHTHOUSE - NIGHT', { kind: 'scene', text: 'INT. LIGHTHOUSE - NIGHT' }],
    ['EXT. SEA - DAY #12A#', { kind: 'scene', text: 'EXT. SEA - DAY', number: '12A' }],
    ['.FLASHBACK', { kind: 'scene', text: 'FLASHBACK', blank: undefined }],
    ['## The storm', { kind: 'section', text: 'The storm', depth: 2 }],
    ['She waits.\nAnd waits.', { kind: 'action', text: 'She waits.\nAnd waits.' }],
    ['!MARA\nnot spoken', { kind: 'action', text: 'MARA\nnot spoken' }],
    ['> THE END <', { kind: 'centered', text: 'THE END' }],
    ['CUT TO:', { kind: 'transition', text: 'CUT TO:' }],
    ['> Burn to white.', { kind: 'transition', text: 'Burn to white.' }],
    ['~Row, row\n~your boat', { kind: 'lyrics', text: 'Row, row\nyour boat' }],
    ['[[check the tide]]', { kind: 'note', text: 'check the tide' }],
    ['= They meet.', { kind: 'synopsis', text: 'They meet.' }],
    ['===', { kind: 'pageBreak', text: '' }],
    ['/* cut\n\nall of it */', { kind: 'boneyard', text: ' cut\n\nall of it ' }],
    ['Mara /* or\n\nTom */ waits.', { kind: 'action', text: 'Mara  waits.' }],
    ['MARA\nHello.', { kind: 'dialogue', character: 'MARA', text: 'Hello.' }],
    [
      "MARA (O.S.) (CONT'D)\nHi.",
      { kind: 'dialogue', character: 'MARA', cue: "MARA (O.S.) (CONT'D)", text: 'Hi.' },
    ],
    ['@McAvoy\nAye.', { kind: 'dialogue', character: 'McAvoy', text: 'Aye.' }],
    ['MARA\nOne.\n  \nTwo.', { kind: 'dialogue', character: 'MARA', text: 'One.\n\nTwo.' }],
    [
      'MARA\n~la la\nWell.',
      {
        kind: 'dialogue',
        character: 'MARA',
        text: 'la la\nWell.',
        parts: [
          { kind: 'lyrics', text: 'la la' },
          { kind: 'dialogue', text: 'Well.' },
        ],
      },
    ],
    [
      'MARA\n(softly)\nGo.\n(louder)\nGo!',
      {
        kind: 'dialogue',
        character: 'MARA',
        text: 'Go.\nGo!',
        parts: [
          { kind: 'parenthetical', text: '(softly)' },
          { kind: 'dialogue', text: 'Go.' },
          { kind: 'parenthetical', text: '(louder)' },
          { kind: 'dialogue', text: 'Go!' },
        ],
      },
    ],
  ])('%j', (text, body) => {
    const found = bodies(`${text}\n`);
    expect(found).toHaveLength(1);
    const { source: _, ...said } = found[0]!;
    expect(said).toEqual(body);
  });

  test('two speeches at the same time; a third one is not', () => {
    const speeches = bodies('TOM\nNo.\n\nMARA\nYes.\n\nTOM ^\nNo.\n\n@Third\nWhat?\n');
    expect(speeches.map(({ character, dual }) => [character, dual])).toEqual([
      ['TOM', undefined],
      ['MARA', 'left'],
      ['TOM', 'right'],
      ['Third', undefined],
    ]);
  });

  test('a title page, and what follows it at once', () => {
    const { script, blocks } = parse('Title:\n    The\n    Keeper\nDraft date: today\nShe waits.\n');
    expect(script).toMatchObject({
      text: 'The Keeper',
      titlePage: [
        { key: 'Title', text: 'The\nKeeper' },
        { key: 'Draft date', text: 'today' },
      ],
    });
    expect(blocks).toMatchObject([{ line: 5, body: { kind: 'action', text: 'She waits.', blank: 0 } }]);
  });

  test('sections, synopses and headings need no blank lines', () => {
    const found = parse('# One\n## Two\n= why\nINT. SEA\n= where\n\nText.\n').blocks;
    expect(found.map(({ line, body: { kind } }) => [line, kind])).toEqual([
      [1, 'section'],
      [2, 'section'],
      [3, 'synopsis'],
      [4, 'scene'],
      [5, 'synopsis'],
      [7, 'action'],
    ]);
  });

  test('blanks and line ends are made normal', () => {
    const { blocks } = parse('\ufeff\r\n  \r\nOne.  \r\n \t \r\nTwo.\r\n\r\n\r\n');
    expect(blocks.map(({ line, body: { source, text, blank } }) => [line, source, text, blank])).toEqual([
      [3, undefined, 'One.', undefined],
      [5, undefined, 'Two.', undefined],
    ]);
  });
});

describe('a malformed file is refused with its lines', () => {
  test.each([
    ['empty', '', [[1, 'the file is empty']]],
    ['blank', ' \n\t\n', [[1, 'the file is empty']]],
    ['NUL', 'One.\n\nTw\0o.\n', [[3, 'U+0000 is no text']]],
    [
      'binary',
      'One.\n\u001b[31m\n\u0007\n',
      [
        [2, 'U+001B is no text'],
        [3, 'U+0007'],
      ],
    ],
    ['a long line', `One.\n${'x'.repeat(MAX_LINE_LENGTH + 1)}\n`, [[2, '10001 characters']]],
    [
      'a block that is no content',
      `One.\n\n${`${'x'.repeat(9_000)}\n`.repeat(30)}`,
      [[3, 'bytes as content']],
    ],
    ['a title page', `\nTitle: a\nNotes:\n${`    ${'x'.repeat(9_000)}\n`.repeat(30)}`, [[2, 'title page']]],
  ])('%s', (_, text, faults) => {
    expect(faultsOf(text)).toEqual(
      faults.map(([line, part]) => ({ line, text: expect.stringContaining(String(part)) })),
    );
  });

  test('not UTF-8', () => {
    const bytes = Buffer.from('One.\nTw\xffo.\nThree\nF\xe9\n', 'latin1');
    expect(faultsOf(bytes)).toEqual([
      { line: 2, text: 'not UTF-8' },
      { line: 4, text: 'not UTF-8' },
    ]);
    expect(faultsOf(Buffer.from('\ufeffOne.', 'utf16le'))).toEqual([
      { line: 1, text: 'the file is in UTF-16; it must be in UTF-8' },
    ]);
  });

  test('ten faults are enough', () => {
    expect(faultsOf('\0\n'.repeat(50))).toHaveLength(10);
  });
});

describe('hostile lines are quick', () => {
  test.each([
    ['leading blanks', `${' '.repeat(1_000)}x`],
    ['more of them', `MARA\n${' '.repeat(9_000)}(x`],
    ['centered within centered', `${'>a<'.repeat(3_000)}x`],
    ['emphasis', `${'*_'.repeat(4_500)}x\nfoo`],
    ['blanks before a number', `INT. X${' '.repeat(9_000)}#1`],
    ['brackets', `${'['.repeat(5_000)}x${']'.repeat(4_000)}`],
    ['parentheses', `A (${')('.repeat(4_000)}\nfoo`],
    ['comments that never end', '/*\n'.repeat(50_000)],
    ['many marks', '#\n'.repeat(50_000)],
    ['an odd line separator', `Title: ${'a\u2028'.repeat(4_000)}x\nb`],
    ['a deep title page', `Title: a\n${' '.repeat(9_000)}b`],
    ['a long title page', 'Title: a\n'.repeat(20_000)],
  ])('%s', (_, text) => {
    const started = performance.now();
    try {
      parse(`${text}\n`);
    } catch (error) {
      // What begins as one block of 100,000 lines may be too large; what counts is that this is known soon.
      expect(error).toBeInstanceOf(FountainError);
    }
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

function faultsOf(text: string | Uint8Array) {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof FountainError) return error.faults;
    throw error;
  }
  throw new Error('no fault was found');
}
