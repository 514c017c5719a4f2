import fountain from 'fountain-js';
import type { ScriptBody, TitleEntry } from './model.ts';

const { Lexer, rules } = fountain;

/** What has more than these is no title page; fountain-js takes seconds to read it. */
const MAX_ENTRIES = 1_000;

/** What stands at the head of a file, and the number of lines that it takes. */
export interface TitlePage {
  readonly script: ScriptBody;
  readonly lines: number;
}

/** Reads the title page; the first line is not blank. Without one the script has no title. */
export function readTitlePage(lines: readonly string[]): TitlePage {
  const { entries, end } = entriesOf(lines);
  const none: TitlePage = { script: { kind: 'script', text: '' }, lines: 0 };
  if (entries.length === 0 || entries.length > MAX_ENTRIES) return none;
  const source = lines.slice(0, end).join('\n');
  const seen = `${lines.slice(0, end).map(defused).join('\n')}\n`;
  if (!rules.title_page.test(seen) || Lexer.tokenizeTitlePage(seen).length !== entries.length) return none;
  const title = entries.find(({ key }) => key.toLowerCase() === 'title')?.text ?? '';
  const script = { kind: 'script' as const, text: title.replaceAll('\n', ' '), titlePage: entries };
  const plain = composeTitlePage(entries) === source;
  return { script: plain ? script : { ...script, source }, lines: end };
}

/** The title page as it stands in the file; empty where there is none. */
export function titlePageSource({ titlePage, source, text }: ScriptBody): string {
  if (source !== undefined) {
    const { script } = readTitlePage(source.split('\n'));
    const same =
      JSON.stringify(script.titlePage) === JSON.stringify(titlePage?.map(({ key, text }) => ({ key, text })));
    if (same && script.text === text) return source;
  }
  return composeTitlePage(titlePage ?? []);
}

/** Writes down a title page: values of several lines below their key, four blanks in. */
export function composeTitlePage(entries: readonly TitleEntry[]): string {
  return entries
    .map(({ key, text }) =>
      text.includes('\n')
        ? [`${key}:`, ...text.split('\n').map((line) => `    ${line}`)].join('\n')
        : `${key}: ${text}`,
    )
    .join('\n');
}

function entriesOf(lines: readonly string[]): { entries: TitleEntry[]; end: number } {
  const entries: TitleEntry[] = [];
  let at = 0;
  while (at < lines.length) {
    const match = /^[ \t]{0,100}([\w ]+)(?<!\\):(.*)$/.exec(lines[at]!);
    if (match === null) break;
    const values = [match[2]!.trim()];
    let next = at + 1;
    while (next < lines.length && /^(?: {3}|\t)/.test(lines[next]!)) values.push(lines[next++]!.trim());
    const text = values.filter((value) => value !== '').join('\n');
    if (text === '') break;
    entries.push({ key: match[1]!.trim(), text });
    at = next;
  }
  return { entries, end: at };
}

/** Deep indents and odd line separators take the regular expressions of fountain-js seconds. */
function defused(line: string): string {
  const indent = /^(?: {3}|\t)/.test(line) ? '    ' : '';
  return (
    indent +
    line
      .trim()
      .replace(/[\u2028\u2029\v\f]/g, ' ')
      .replace(/\s{7,}/g, ' ')
  );
}
