import { gunzipSync } from 'node:zlib';

/** gzip is recognised by its first bytes, whatever the headers say. */
export function decode(bytes: Buffer): string {
  const gzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    return (gzip ? gunzipSync(bytes) : bytes).toString();
  } catch {
    return bytes.toString('latin1');
  }
}

/** The first half, never cut between two lines. */
export function half(text: string): string {
  const middle = Math.floor(text.length / 2);
  return text.slice(0, text[middle] === '\n' ? middle - 1 : middle);
}

/** The first half of the lines, where only half is to be applied. */
export function cut(body: string, apply: 'now' | 'half'): string {
  if (apply === 'now') return body;
  const lines = body.split('\n');
  return lines.slice(0, Math.floor(lines.length / 2)).join('\n');
}
