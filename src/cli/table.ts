import { visible } from './visible.ts';

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly align?: 'right';
}

const GAP = '  ';
const ELLIPSIS = '…';

/**
 * Lays out rows in columns.
 *
 * @param width lines are cut to this; not where it is undefined, since who reads a pipe wants all of it, nor where it
 * is 0, which a terminal says that does not know
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width?: number,
): string[] {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => row.map(visible))];
  const widths = columns.map((_, at) =>
    lines.reduce((most, line) => Math.max(most, cells(line[at] ?? '')), 0),
  );
  return lines.map((line) => {
    const padded = columns.map(({ align }, at) => pad(line[at] ?? '', widths[at]!, align));
    const text = padded.join(GAP).trimEnd();
    return width === undefined || width === 0 ? text : cut(text, width);
  });
}

function pad(text: string, width: number, align: Column['align']): string {
  const blanks = ' '.repeat(Math.max(0, width - cells(text)));
  return align === 'right' ? blanks + text : text + blanks;
}

function cut(text: string, width: number): string {
  if (cells(text) <= width) return text;
  let kept = '';
  let taken = 0;
  for (const { segment } of segmenter.segment(text)) {
    taken += cells(segment);
    if (taken > width - 1) break;
    kept += segment;
  }
  return kept + ELLIPSIS;
}

const segmenter = new Intl.Segmenter();

/** How many cells of a terminal a text takes. */
function cells(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let sum = 0;
  for (const { segment } of segmenter.segment(text)) sum += WIDE.test(segment) ? 2 : 1;
  return sum;
}

const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}])/u;
