import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const README = readFileSync(`${ROOT}/README.md`, 'utf8');
const run = promisify(execFile);

interface Block {
  readonly language: string;
  readonly text: string;
}

/** Without the commands for a service that asks who calls, which readme-callers.test.ts runs. */
const OPEN = README.replace(/^## Who may call[\s\S]*?(?=^## )/m, '');

const blocks: Block[] = [...OPEN.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language: language!,
  text: text!.trim(),
}));

/** The blocks that are commands; `console` marks those that no test can run. */
const commands = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
const calls = commands.filter((command) => /^(curl|npx buf curl)\b/.test(command));

/** An answer as the README can promise it: without what differs from run to run. */
function comparable(json: string): unknown {
  return JSON.parse(json, (key, value) =>
    /^(create|update)Time$|^nextPageToken$/.test(key) ? 'varies' : value,
  );
}

describe('README', () => {
  test('there are commands to run', () => {
    expect(commands.length).toBeGreaterThanOrEqual(5);
    expect(calls.length).toBeGreaterThanOrEqual(3);
  });

  test('its calls, in their order, get the answers that it shows', async () => {
    const { url } = await startApp();
    for (const call of calls) {
      const here = call
        .replaceAll('http://127.0.0.1:8080', url)
        .replace(/^curl /, 'curl --silent --show-error ');
      const { stdout } = await run('bash', ['-c', here], { cwd: ROOT, timeout: 20_000 });
      const shown = blocks[blocks.findIndex(({ text }) => text === call) + 1]!;
      expect(shown.language).toBe('json');
      expect(comparable(stdout)).toEqual(comparable(shown.text));
    }
  });

  test('its commands that speak to a running service work on one', async () => {
    const { url, port } = await startApp();
    const lines = commands
      .flatMap((text) => text.split('\n'))
      .filter((line) => /^(npm run (-s )?cli -- |node )/.test(line));
    expect(lines.length).toBeGreaterThanOrEqual(5);
    for (const line of lines) {
      const here = line.replaceAll('127.0.0.1:8080', new URL(url).host);
      const env = { ...process.env, PORT: String(port) };
      const { stdout } = await run('bash', ['-c', here], { cwd: ROOT, env, timeout: 20_000 });
      expect(stdout).not.toBe('');
    }
  }, 60_000);

  test('its set-up and test commands are what CI runs', () => {
    const ci = readFileSync(`${ROOT}/.ci/run`, 'utf8');
    expect(commands).toContain('npm ci && npm start');
    expect(commands).toContain('npm test');
    expect(ci).toMatch(/^npm ci$/m);
    expect(ci).toMatch(/^npm test\b/m);
  });

  test.each([...new Set([...README.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name]) => name!))])(
    'npm run %s exists',
    (name) => {
      const { scripts } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as {
        scripts: Record<string, string>;
      };
      expect(scripts).toHaveProperty([name]);
    },
  );

  test.each([...new Set(README.match(/(?<=npm run (?:-s )?cli -- )(?!help)[\w-]+/g))])(
    'cli %s is a command',
    async (name) => {
      const { stdout } = await run(process.execPath, ['src/cli.ts', 'help', name], { cwd: ROOT });
      expect(stdout).toContain(name);
    },
  );

  test.each([...README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path!))(
    '%s is there',
    (path) => {
      expect(existsSync(`${ROOT}/${path}`)).toBe(true);
    },
  );

  test('its table of variables agrees with .env.example', () => {
    const example = readFileSync(`${ROOT}/.env.example`, 'utf8');
    const section = README.split(/^## /m).find((text) => text.startsWith('Configuration')) ?? '';
    const rows = [...section.matchAll(/^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| ([^|]*) \|/gm)];
    expect(rows.length).toBeGreaterThan(3);
    for (const [, names, values] of rows) {
      const defaults = values!.split(', ').map((value) => value.replaceAll('`', '').replace(/^none$/, ''));
      for (const [index, name] of names!.split(', ').entries())
        expect(example).toContain(`\n#${name.replaceAll('`', '')}=${defaults[index]}\n`);
    }
  });
});
