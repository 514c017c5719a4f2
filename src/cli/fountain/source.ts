import { isUtf8 } from 'node:buffer';
import { type Fault, FountainError } from './model.ts';

/** A file may have this many bytes: ten times a screenplay of 3,000 pages. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** A line may have this many characters: three pages without a break. */
export const MAX_LINE_LENGTH = 10_000;
/** Faults beyond these are not listed. */
export const MAX_FAULTS = 10;

const NEWLINE = 0x0a;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\x00-\x08\x0e-\x1f]/;

/**
 * The lines of a file in their normal form, which export writes: LF as line ending, no byte order mark, no blanks at
 * the end of a line, no blank lines at the beginning and the end. A line of exactly two blanks between lines that are
 * not blank keeps them, since it joins these to one speech; not beside a line that begins with `#` or `=`.
 *
 * @throws FountainError with the first faults and their lines
 */
export function readLines(bytes: Uint8Array): string[] {
  const faults = encodingFaults(bytes);
  if (faults.length > 0) throw new FountainError(faults);
  const text = new TextDecoder().decode(bytes);
  const lines = text.split(/\r\n|\r|\n/);
  const unfit = lines.flatMap(lineFaults);
  if (unfit.length > 0) throw new FountainError(unfit.slice(0, MAX_FAULTS));
  const normal = normalise(lines);
  if (normal.every((line) => line === '')) throw new FountainError([{ line: 1, text: 'the file is empty' }]);
  return normal;
}

/** The lines in their normal form; blank ones at the beginning stay, so that line numbers hold. */
function normalise(lines: readonly string[]): string[] {
  const normal = lines.map((line) => line.trimEnd());
  for (let start = 1; start < lines.length; start++) {
    let end = start;
    while (lines[end] === '  ') end++;
    if (end > start && canJoin(normal[start - 1]) && canJoin(normal[end])) normal.fill('  ', start, end);
    start = end;
  }
  while (normal.at(-1) === '') normal.pop();
  return normal;
}

/** Sections, synopses and page breaks are one line. */
function canJoin(line: string | undefined): boolean {
  return line !== undefined && line !== '' && !/^[ \t]*[#=]/.test(line);
}

function lineFaults(line: string, at: number): Fault[] {
  const control = CONTROL.exec(line)?.[0];
  if (control !== undefined) {
    const code = control.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return [{ line: at + 1, text: `U+${code} is no text; the file must be plain text in UTF-8` }];
  }
  if (line.length <= MAX_LINE_LENGTH) return [];
  return [{ line: at + 1, text: `${line.length} characters; a line may have ${MAX_LINE_LENGTH} at most` }];
}

function encodingFaults(bytes: Uint8Array): Fault[] {
  if (bytes.byteLength > MAX_FILE_BYTES)
    return [
      { line: 1, text: `the file has ${bytes.byteLength} bytes; it may have ${MAX_FILE_BYTES} at most` },
    ];
  if (isUtf8(bytes)) return [];
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    return [{ line: 1, text: 'the file is in UTF-16; it must be in UTF-8' }];
  const faults: Fault[] = [];
  for (let line = 1, start = 0; start < bytes.length && faults.length < MAX_FAULTS; line++) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    if (!isUtf8(bytes.subarray(start, end))) faults.push({ line, text: 'not UTF-8' });
    start = end + 1;
  }
  return faults;
}
