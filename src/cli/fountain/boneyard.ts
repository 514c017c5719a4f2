/** A stretch of text that is commented out, from its `/*` to behind its end mark. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const OPEN = '/*';
const CLOSE = '*/';

/** Where a text is commented out, in order. What is opened and never closed is plain text. */
export function boneyards(text: string): Span[] {
  const spans: Span[] = [];
  for (let from = 0; ; ) {
    const start = text.indexOf(OPEN, from);
    if (start === -1) return spans;
    const close = text.indexOf(CLOSE, start + OPEN.length);
    if (close === -1) return spans;
    from = close + CLOSE.length;
    spans.push({ start, end: from });
  }
}

/** A text without what is commented out, and without the lines that are left blank by that. */
export function withoutBoneyards(text: string): string {
  const spans = boneyards(text);
  if (spans.length === 0) return text;
  const starts = [0, ...spans.map(({ end }) => end)];
  const kept = starts.map((start, at) => text.slice(start, spans[at]?.start));
  return kept
    .join('')
    .split('\n')
    .map((line) => (line === '  ' ? line : line.trimEnd()))
    .filter((line) => line !== '')
    .join('\n');
}
