import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { VARIABLES } from '../../src/config/variables.ts';
import { loadConfig } from '../../src/config.ts';
import { renderExample } from './render-example.ts';

const file = new URL('../../.env.example', import.meta.url);
const uncommented = () => parseEnv(readFileSync(file, 'utf8').replaceAll(/^#(?=[A-Z])/gm, ''));

test('.env.example says what the table says', async () => {
  await expect(renderExample()).toMatchFileSnapshot(file.pathname);
});

test('.env.example names every variable, once and in order, and no other', () => {
  const names = [...readFileSync(file, 'utf8').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name);
  expect(names).toEqual(VARIABLES.map(({ name }) => name));
});

test('as it stands, .env.example sets nothing', () => {
  expect(parseEnv(readFileSync(file, 'utf8'))).toEqual({});
});

test('uncommented, .env.example is the defaults', () => {
  expect(loadConfig(uncommented() as Record<string, string>)).toEqual(loadConfig({}));
});
