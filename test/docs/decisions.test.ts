import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const FOLDER = new URL('../../docs/adr/', import.meta.url).pathname;
const files = readdirSync(FOLDER).filter((name) => name !== 'README.md');

test('each decision has a number of its own, without a gap, in its name and its title', () => {
  const numbers = files.map((name) => Number(/^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1]));
  expect(numbers.toSorted((a, b) => a - b)).toEqual(files.map((_, index) => index + 1));
  const titles = files.map((name) => /^# (\d+)\. \S/.exec(readFileSync(`${FOLDER}${name}`, 'utf8'))?.[1]);
  expect(titles.map(Number)).toEqual(numbers);
});

test('docs/adr/README.md lists each once', () => {
  const listed = [...readFileSync(`${FOLDER}README.md`, 'utf8').matchAll(/\[(\d+)\]\(([\w.-]+)\)/g)];
  expect(listed.map(([, , file]) => file).toSorted()).toEqual(files.toSorted());
  for (const [, number, file] of listed) expect(Number(file!.slice(0, 4))).toBe(Number(number));
});
