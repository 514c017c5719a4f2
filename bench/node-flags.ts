import { readFileSync } from 'node:fs';

const start: string[] = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).scripts.start.split(' ');

/** What `npm start` gives Node before the script, and so does the image: what ships is what is measured. */
export const NODE_FLAGS: readonly string[] = start.filter((part) => part.startsWith('--'));

/** The environment that `npm start` gives it. */
export const NODE_ENVIRONMENT: Readonly<Record<string, string>> = Object.fromEntries(
  start.slice(0, start.indexOf('exec')).map((part) => part.split('=')),
);
