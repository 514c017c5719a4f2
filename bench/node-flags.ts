import { readFileSync } from 'node:fs';

/** What `npm start` gives Node before the script, and so does the image: what ships is what is measured. */
export const NODE_FLAGS: readonly string[] = flagsOf(
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).scripts.start,
);

function flagsOf(start: string): string[] {
  return start.split(' ').filter((part) => part.startsWith('--'));
}
