import fc from 'fast-check';

const word = fc.constantFrom(
  'sea',
  'Lamp',
  'MARA',
  'the',
  'keeper',
  'gale.',
  'né',
  '灯台',
  '*bold*',
  '_under_',
  '(beat)',
  '#',
  '^',
  '!',
  '~',
  '@',
  '[[n]]',
  '<',
  '>',
  'TO:',
  '=',
  '/*',
  '*/',
  '\\*',
  'INT.',
  '12',
);
const words = fc.array(word, { minLength: 1, maxLength: 6 }).map((all) => all.join(' '));
const plain = fc
  .array(fc.constantFrom('sea', 'lamp', 'she', 'waits', 'keeper', 'storm', 'stairs', 'né'), {
    minLength: 1,
    maxLength: 8,
  })
  .map((all) => all.join(' '));
const name = fc.constantFrom(
  'MARA',
  'TOM',
  'MARA (O.S.)',
  "TOM (CONT'D)",
  '@McAvoy',
  'OLD WOMAN',
  "VOICE 2 (V.O.) (CONT'D)",
);
const said = fc.oneof(
  { weight: 4, arbitrary: plain },
  plain.map((text) => `(${text})`),
  plain.map((text) => `~${text}`),
  words,
);
const speech = fc
  .tuple(name, fc.constantFrom('', '', ' ^'), fc.array(said, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([who, dual, lines, parted]) =>
    [`${who}${dual}`, ...(parted ? [lines.join('\n  \n')] : lines)].join('\n'),
  );

/** A block of each kind that the format knows, and some that only look like one. */
const block = fc.oneof(
  { weight: 3, arbitrary: speech },
  { weight: 3, arbitrary: plain },
  fc.constantFrom(
    'INT. LIGHTHOUSE - NIGHT',
    'EXT. SEA #12A#',
    '.FLASH',
    'INT./EXT. BOAT',
    'EST. HARBOUR',
    '.INT. ROOM',
  ),
  fc.constantFrom(
    '# Act One',
    '## Sequence',
    '###Deep',
    '# One\n## Two\n= and why',
    'INT. QUAY\n= where they meet',
  ),
  fc.constantFrom('CUT TO:', 'FADE OUT.', '> Burn to white.', 'FADE IN:', '> SMASH TO:'),
  fc.constantFrom('> THE END <', '>one<\n> two <', '> a < b > c <'),
  fc.constantFrom('~la la la', '~one\n~two', '~ not sung'),
  fc.constantFrom('[[a note]]', 'text [[inline]] more', '[[two\nlines]]', '[[two\n  \nlines]]'),
  fc.constantFrom('= a synopsis', '=', '===', '=====', '==== x'),
  fc.constantFrom(
    '/* gone */',
    '/* all\n\ngone */',
    'Half /* hidden\n\nx */ here.',
    '/* a */ /* b */',
    'never */ closed /*',
  ),
  fc.constantFrom(
    '!MARA',
    '!INT. NOT A SCENE',
    '    Indented\n\ttab',
    '! not forced',
    '\\@MARA\nfoo',
    'MARA',
    'MARA\n',
    '(alone)',
  ),
  fc.array(words, { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\n')),
);

const titlePage = fc.constantFrom(
  '',
  'Title: The Keeper\n\n',
  'Title:\n    _**THE KEEPER**_\n    A play\nCredit: by\nAuthor: Somebody\nDraft date: 1/2/2026\nContact:\n\tOne street\n\tA town\n\n',
  'Title: A\nFADE IN:\n',
  'Notes: x\nINT. HOUSE\n\n',
  'Title:\n\n',
);
const gap = fc.constantFrom('\n\n', '\n\n', '\n\n\n', '\n', '\n \t\n', '\n  \n', '\r\n\r\n', '\n\n\n\n');

/** The text of a screenplay, as people and programs write them: not in its normal form. */
export const playText = fc
  .tuple(titlePage, fc.array(fc.tuple(block, gap), { minLength: 1, maxLength: 25 }))
  .map(([title, blocks]) => title + blocks.map(([text, after]) => text + after).join(''))
  .filter((text) => text.trim() !== '');

/** A screenplay of so many pages, of 55 lines each; always the same. */
export function longPlay(pages: number): string {
  const pick = picker(7);
  const vocabulary = Array.from(
    { length: 900 },
    (_, at) => `${'bdfklmnrst'[at % 10]}${'aeiou'[at % 5]}${(at * 7919).toString(36)}`,
  );
  const sentence = (least: number, most: number) =>
    `${Array.from({ length: least + pick(most - least) }, () => vocabulary[pick(vocabulary.length)]).join(' ')}.`;
  const names = Array.from({ length: 60 }, (_, at) => `${vocabulary[at]!.toUpperCase()}`);
  const out = ['Title: The Long Play', 'Author: a program', ''];
  for (let act = 1; out.length < pages * 55; act++) {
    out.push(`# Act ${act}`, '');
    for (let scene = 0; scene < 12; scene++) {
      out.push(`INT. ${sentence(1, 3).toUpperCase()} - DAY #${act}.${scene}#`, '', sentence(12, 40), '');
      for (let speech = 0; speech < 12; speech++) {
        if (pick(4) === 0) out.push(sentence(8, 30), '');
        out.push(names[pick(names.length)]!, ...(pick(5) === 0 ? ['(softly)'] : []), sentence(4, 24), '');
      }
      if (pick(3) === 0) out.push('CUT TO:', '');
    }
  }
  return out.join('\n');
}

function picker(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
