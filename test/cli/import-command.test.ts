import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createSequenceClient } from '../../client/src/index.ts';
import { verifyDatabase } from '../../src/db/database.ts';
import { startApp } from '../support/app.ts';
import { cli, startSource } from '../support/command.ts';
import { placeOf } from '../support/place.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { longPlay } from './import-plays.ts';
import { startProxy } from './import-proxy.ts';
import { contentsOf, importText } from './import-scope.ts';

const EXAMPLE = new URL('../../examples/the-lighthouse-keeper.fountain', import.meta.url).pathname;

async function playFile(text: string | Uint8Array): Promise<string> {
  const file = join(await temporaryFolder(), 'play.fountain');
  await writeFile(file, text);
  return file;
}

describe('import and export', () => {
  test('the example goes in, a second time nothing is sent, and it comes out', async () => {
    const { url } = await startApp();
    const proxy = await startProxy(url);
    const args = [EXAMPLE, '--scope', 'play', '--server', proxy.url];
    const first = await cli(['import', ...args]);
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^scope play holds the file: script 1, section 22, character 4/),
    });
    expect(first.stderr).toMatch(/^http.*: \d+ to send\n/);
    expect(proxy.writes()).toEqual(Array(5).fill('BatchGenerate'));

    proxy.calls.length = 0;
    const second = await cli(['import', ...args]);
    expect(second).toEqual({
      code: 0,
      stdout: 'scope play holds the file already; nothing was sent\n',
      stderr: '',
    });
    expect(proxy.calls).toEqual(Array(5).fill('ListElements'));

    const output = join(await temporaryFolder(), 'out.fountain');
    const text = await readFile(EXAMPLE, 'utf8');
    expect(await cli(['export', '--scope', 'play', '--server', url, '-o', output])).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
    expect(await readFile(output, 'utf8')).toBe(text);
    expect(await cli(['export', '--scope', 'play', '--server', url])).toEqual({
      code: 0,
      stdout: text,
      stderr: '',
    });
  });

  test('--json says what was sent', async () => {
    const { url } = await startApp();
    const file = await playFile('INT. A\n\nMARA\nHello.\n');
    const { stdout } = await cli(['import', file, '--scope', 's', '--json', '--server', url]);
    expect(JSON.parse(stdout)).toEqual({
      file,
      scope: 's',
      server: url,
      elements: { script: 1, section: 1, character: 1, action: 0, spokenWord: 1 },
      calls: 4,
      generated: 4,
      versions: 0,
      removed: 0,
      moved: 0,
    });
  });

  test.each([
    { at: 1, what: 'request' },
    { at: 3, what: 'answer' },
    { at: 4, what: 'request' },
    { at: 5, what: 'answer' },
    { at: 6, what: 'answer' },
  ] as const)('killed at the $what of write $at, it goes on where it stopped', async ({ at, what }) => {
    const { app, url, file: database } = await startApp();
    const client = createSequenceClient({ url });
    const text = longPlay(90);
    const file = await playFile(text);
    await importText(client, 'whole', text);

    const proxy = await startProxy(url);
    const held = proxy.hold(at, what);
    const running = await startSource('cli.ts', {
      args: ['import', file, '--scope', 'cut', '--server', proxy.url],
    });
    await held;
    running.child.kill('SIGKILL');
    expect((await running.ended).code).toBe('SIGKILL');

    const again = await cli(['import', file, '--scope', 'cut', '--server', url]);
    expect(again).toMatchObject({ code: 0 });
    expect(await contentsOf(client, 'cut')).toEqual(await contentsOf(client, 'whole'));
    expect(await importText(client, 'cut', text)).toMatchObject({ calls: 0 });
    await app.stop();
    expect((await verifyDatabase(placeOf(database))).violations).toEqual([]);
  });

  test.each([2, 9, 14, 20])('an edit that was killed at write %d ends as the file says', async (at) => {
    const { url } = await startApp();
    const client = createSequenceClient({ url });
    const before = longPlay(4);
    const acts = before.split(/\n(?=INT\.)/);
    const after = [acts[0], 'INT. NEW PLACE\n\nNew.\n', acts[3], ...acts.slice(1, 3), ...acts.slice(5)]
      .join('\n')
      .replaceAll('(softly)', '(loudly)');
    await importText(client, 'cut', before);
    const proxy = await startProxy(url);
    const held = proxy.hold(at, 'answer');
    const file = await playFile(after);
    const running = await startSource('cli.ts', {
      args: ['import', file, '--scope', 'cut', '--server', proxy.url],
    });
    await held;
    running.child.kill('SIGKILL');
    await running.ended;
    expect(await cli(['import', file, '--scope', 'cut', '--server', url])).toMatchObject({ code: 0 });
    const exported = await cli(['export', '--scope', 'cut', '--server', url]);
    expect(exported.stdout).toBe(`${after.trimEnd()}\n`);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it at once and says how to go on', async (signal) => {
    const { url } = await startApp();
    const proxy = await startProxy(url);
    const held = proxy.hold(3, 'answer');
    const file = await playFile(longPlay(3));
    const running = await startSource('cli.ts', {
      args: ['import', file, '--scope', 'cut', '--server', proxy.url],
    });
    await held;
    const signalled = performance.now();
    running.child.kill(signal);
    const { code, stderr } = await running.ended;
    expect(performance.now() - signalled).toBeLessThan(1_500);
    expect(code).toBe(1);
    expect(stderr).toContain('Run the same command again: it goes on from there\n');
  });
});

describe('what goes wrong is one line', () => {
  test('a malformed file names its lines', async () => {
    const file = await playFile('One.\n\0\nThree\n\u0007\n');
    const { code, stdout, stderr } = await cli([
      'import',
      file,
      '--scope',
      's',
      '--server',
      'http://127.0.0.1:9',
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      `${file}:2: U+0000 is no text; the file must be plain text in UTF-8`,
      `${file}:4: U+0007 is no text; the file must be plain text in UTF-8`,
      '',
    ]);
  });

  test.each([
    [['import'], 2, '"cli import" needs PLAY.fountain'],
    [['import', 'a', 'b'], 2, 'Unexpected argument "b"'],
    [['import', EXAMPLE], 2, '--scope NAME is missing'],
    [['import', EXAMPLE, '--scope', 's', '--server', 'ftp://x'], 2, '--server must be an address such as'],
    [['import', 'nowhere.fountain', '--scope', 's'], 1, '"nowhere.fountain" cannot be read (ENOENT)'],
    [['import', '/', '--scope', 's'], 1, 'cannot be read (EISDIR)'],
    [
      ['export', '--scope', 's', '--server', 'http://127.0.0.1:9'],
      1,
      'no service answers at http://127.0.0.1:9: ',
    ],
    [['list', 'scene', '--scope', 's'], 2, '"scene" is not an element type; there are script, section,'],
    [['list', 'action', '--scope', 's', '--limit', '0'], 2, '--limit must be a whole number from 1'],
    [
      ['history', 'action', 'x', '--scope', 's'],
      2,
      'ID must be a whole number from 1 to 9007199254740991; it is "x"',
    ],
    [['move', 'action', '1', '--scope', 's'], 2, 'say where to: one of --before ID'],
    [['move', 'action', '1', '--scope', 's', '--first', '--last'], 2, 'say where to: one of --before ID'],
  ])('%j', async (args, code, message) => {
    const ended = await cli(args);
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
    expect(ended.stderr.split('\n')).toHaveLength(2);
  });

  test('refusals of the service, and an address where something else answers', async () => {
    const { url } = await startApp();
    const at = ['--server', url];
    const refused = [
      [['remove', 'action', '7', '--scope', 's', ...at], 'element 7'],
      [['list', 'action', '--scope', 'no/scope', ...at], 'scope must match [A-Za-z0-9._-]{1,64}'],
      [['export', '--scope', 'none', ...at], 'scope none holds no script; import one first'],
      [['list', 'action', '--scope', 's', '--server', `${url}/elsewhere`], 'is not this service'],
      [['export', '--scope', 's', ...at, '-o', '/nowhere/x'], 'holds no script'],
    ] as const;
    for (const [args, message] of refused) {
      const ended = await cli(args);
      expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(message) });
      expect(ended.stderr.split('\n')).toHaveLength(2);
    }
  });
});

test('plain lines tell how far it is, at most one a second', async () => {
  const { url } = await startApp();
  const proxy = await startProxy(url);
  const file = await playFile(longPlay(20));
  const { stderr } = await cli(['import', file, '--scope', 's', '--server', proxy.url]);
  expect(stderr.split('\n').length).toBeLessThan(20);
  expect(stderr).not.toContain('\u001b');
});
