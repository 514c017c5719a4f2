import fountain from 'fountain-js';
import { withoutBoneyards } from './boneyard.ts';
import type { Meaning, Part } from './model.ts';

const { Lexer } = fountain;

/** Reads a block, as fountain-js understands it. Whether a speech is the left one of two, the block cannot know. */
export function classify(source: string): Meaning {
  const visible = withoutBoneyards(source).replace(/^(?: {2}\n)+|(?:\n {2})+$/g, '');
  if (visible.trim() === '') return { kind: 'boneyard', text: commentOf(source) };
  const lines = visible.split('\n');
  const tokens = Lexer.tokenizeScript(defused(lines));
  // Behind a speech that is the right one of two, fountain-js takes any other one for the left one.
  const token = tokens.find(({ type }) => type === 'dialogue_begin') ?? tokens[0];
  const text = token?.text ?? '';
  switch (token?.type) {
    case 'scene_heading':
      return { kind: 'scene', text, ...(token.scene_number && { number: token.scene_number }) };
    case 'section':
      return { kind: 'section', text, depth: token.depth ?? 1 };
    case 'dialogue_begin':
      return speech(lines, token.dual === 'right');
    case 'centered':
      return { kind: 'centered', text: lines.map((line) => line.trim().slice(1, -1).trim()).join('\n') };
    case 'transition':
    case 'synopsis':
    case 'note':
    case 'lyrics':
      return { kind: token.type, text };
    case 'page_break':
      return { kind: 'pageBreak', text: '' };
    default:
      return { kind: 'action', text: lines.map(unforced).join('\n') };
  }
}

/**
 * The lines as fountain-js is to see them. Some texts take its regular expressions seconds, or for ever: blanks before
 * a line, long runs of blanks or of emphasis, `>` and `<` within a centered line. Lyrics as the first line of a speech
 * make it throw. None of these changes what kind of block it is.
 */
function defused(lines: readonly string[]): string {
  const sung = lines[0]!.trimStart().startsWith('~');
  const seen = lines.map((line, at) => {
    if (line === '  ') return line;
    const trimmed = line
      .trim()
      .replace(/[\u2028\u2029\v\f\r]/g, ' ')
      .replace(/[*_]{7,}|\s{7,}/g, (run) => run.slice(0, 6));
    if (trimmed.startsWith('>'))
      return trimmed[0] + inner(trimmed) + (trimmed.length > 1 ? trimmed.at(-1) : '');
    return at > 0 && !sung ? trimmed.replace(/^~/, '-') : trimmed;
  });
  return seen.join('\n');
}

function inner(line: string): string {
  return line.slice(1, -1).replace(/[<>]/g, '|');
}

function speech(lines: readonly string[], right: boolean): Meaning {
  const [first, ...spoken] = lines as readonly [string, ...string[]];
  const cue = first
    .trim()
    .replace(right ? /\^$/ : '', '')
    .replace(/^@/, '')
    .trim();
  const character = withoutExtension(cue);
  const parts = spoken.reduce<Part[]>(addLine, []);
  const plain = parts.every(({ kind }) => kind === 'dialogue');
  return {
    kind: 'dialogue',
    text: spokenText(parts),
    character,
    ...(cue !== character && { cue }),
    ...(right && { dual: 'right' as const }),
    ...(!plain && { parts }),
  };
}

/** What is said and sung. */
export function spokenText(parts: readonly Part[]): string {
  return parts.flatMap(({ kind, text }) => (kind === 'parenthetical' ? [] : [text])).join('\n');
}

/** Adds a line to the part that it continues, or as a part of its own. */
function addLine(parts: Part[], line: string): Part[] {
  const text = line.trim();
  const kind = /^\(.+\)$/.test(text) ? 'parenthetical' : /^~(?! )./.test(text) ? 'lyrics' : 'dialogue';
  const said = kind === 'lyrics' ? text.slice(1) : text;
  const last = parts.at(-1);
  if (kind === 'parenthetical' || last?.kind !== kind) parts.push({ kind, text: said });
  else parts[parts.length - 1] = { kind, text: `${last.text}\n${said}` };
  return parts;
}

/** `MARA` of `MARA (O.S.) (CONT'D)`. */
function withoutExtension(cue: string): string {
  const open = cue.indexOf('(');
  const name = open > 0 && cue.endsWith(')') ? cue.slice(0, open).trimEnd() : cue;
  return name === '' ? cue : name;
}

/** A line of an action without the mark that forces it to be one. */
function unforced(line: string): string {
  const start = line.length - line.trimStart().length;
  return line[start] === '!' && line[start + 1] !== ' ' ? line.slice(0, start) + line.slice(start + 1) : line;
}

function commentOf(source: string): string {
  const text = source.trim();
  return text.startsWith('/*') && text.endsWith('*/') ? text.slice(2, -2) : text;
}
