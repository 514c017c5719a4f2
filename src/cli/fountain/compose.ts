import { classify, spokenText } from './classify.ts';
import type { Body, Meaning, Part } from './model.ts';

/** The text of a block as it stands in the file. */
export function sourceOf(body: Body): string {
  // Whoever gives an element another text by the service's API does not know the source, which is stale then.
  if (body.source !== undefined && sameMeaning(classify(body.source), body)) return body.source;
  return compose(body);
}

/** Writes down a meaning: plainly where that is understood, else with the mark that forces its kind. */
export function compose(meaning: Meaning): string {
  const plain = written(meaning, '');
  const mark = FORCED[meaning.kind];
  if (mark === undefined || sameMeaning(classify(plain), meaning)) return plain;
  const forced = written(meaning, mark);
  return sameMeaning(classify(forced), meaning) ? forced : plain;
}

/** Whether two blocks say the same; the left one of two speeches cannot know that it is. */
export function sameMeaning(one: Meaning, other: Meaning): boolean {
  const right = ({ dual }: Meaning) => dual === 'right';
  return (
    one.kind === other.kind &&
    one.text === other.text &&
    one.depth === other.depth &&
    one.number === other.number &&
    one.character === other.character &&
    one.cue === other.cue &&
    right(one) === right(other) &&
    JSON.stringify(one.parts?.map(flat)) === JSON.stringify(other.parts?.map(flat))
  );
}

const FORCED: Partial<Record<Meaning['kind'], string>> = {
  scene: '.',
  action: '!',
  dialogue: '@',
  transition: '> ',
};

function written(meaning: Meaning, mark: string): string {
  const { kind, text, depth = 1, number } = meaning;
  switch (kind) {
    case 'scene':
      return `${mark}${text}${number === undefined ? '' : ` #${number}#`}`;
    case 'section':
      return `${'#'.repeat(depth)} ${text}`;
    case 'dialogue':
      return mark + speech(meaning);
    case 'centered':
      return eachLine(text, (line) => `> ${line} <`);
    case 'lyrics':
      return eachLine(text, (line) => `~${line}`);
    case 'note':
      return `[[${text}]]`;
    case 'synopsis':
      return `= ${text}`;
    case 'pageBreak':
      return '===';
    case 'boneyard':
      return `/*${text}*/`;
    case 'action':
    case 'transition':
      return mark + unbroken(text);
  }
}

function speech({ text, character, cue = character ?? '', dual, parts }: Meaning): string {
  const lines = (
    parts !== undefined && spokenText(parts) === text ? parts : [{ kind: 'dialogue', text } as Part]
  ).map((part) => (part.kind === 'lyrics' ? eachLine(part.text, (line) => `~${line}`) : unbroken(part.text)));
  return [`${cue}${dual === 'right' ? ' ^' : ''}`, ...lines].join('\n');
}

/** Blank lines within a block are two blanks, so that it stays one. */
function unbroken(text: string): string {
  return eachLine(text, (line, at) => (line.trim() === '' && at > 0 ? '  ' : line));
}

function eachLine(text: string, write: (line: string, at: number) => string): string {
  return text.split('\n').map(write).join('\n');
}

function flat({ kind, text }: Part): [string, string] {
  return [kind, text];
}
