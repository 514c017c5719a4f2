import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ACCESS } from '../../src/rpc/auth/access.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const page = readFileSync(`${ROOT}/docs/security.md`, 'utf8');

describe('docs/security.md', () => {
  const shown = [...page.matchAll(/\| `(test\/[\w/.-]+)`: ([^|]+) \|$/gm)].map(
    ([, file, title]) => [file!, title!] as const,
  );

  test('each attempt names its test', () => {
    const section = page.split('## Who may call')[0]!;
    expect(section.match(/^\| (?!attempt|--)/gm)).toHaveLength(shown.length);
    expect(shown.length).toBeGreaterThan(30);
  });

  test.each(shown)('%s has: %s', (file, title) => {
    expect(existsSync(`${ROOT}/${file}`)).toBe(true);
    expect(readFileSync(`${ROOT}/${file}`, 'utf8')).toContain(title);
  });

  test('its table of methods is that of the code', () => {
    const rows = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \| (\w+) \| (every|the) scope/gm)];
    const documented = rows.flatMap(([, methods, permission, where]) =>
      [...methods!.matchAll(/\w+/g)].map(([method]) => [
        method,
        permission,
        where === 'every' ? 'every scope' : 'its scope',
      ]),
    );
    const inCode = Object.entries(ACCESS).flatMap(([name, access]) =>
      typeof access === 'object' ? [[name.split('/')[1], access.permission, access.in]] : [],
    );
    expect(documented.sort()).toEqual(inCode.sort());
  });
});
