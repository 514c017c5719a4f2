import { describe, expect, test } from 'vitest';
import { createSequenceClient, ElementType } from '../../client/src/index.ts';
import { table } from '../../src/cli/table.ts';
import { visible } from '../../src/cli/visible.ts';
import { startApp } from '../support/app.ts';
import { cli } from '../support/command.ts';

describe('a table', () => {
  const columns = [{ title: 'ID', align: 'right' as const }, { title: 'TEXT' }];

  test('is laid out in columns', () => {
    expect(
      table(columns, [
        ['1', 'one'],
        ['100', ''],
      ]),
    ).toEqual([' ID  TEXT', '  1  one', '100']);
  });

  test('is cut to the width of the terminal, wide characters included', () => {
    expect(
      table(
        columns,
        [
          ['1', 'abcdefgh'],
          ['2', '灯台灯台'],
        ],
        9,
      ),
    ).toEqual(['ID  TEXT', ' 1  abcd…', ' 2  灯台…']);
  });

  test('is not cut in a terminal that does not know its width and says 0', () => {
    expect(table(columns, [['1', 'one']], 0)).toEqual(['ID  TEXT', ' 1  one']);
  });

  test('shows what would act on the terminal', () => {
    expect(visible('a\nb\r\nc\td\u001b[31me\u009b\u202ef')).toBe('a⏎b⏎c d\\u001b[31me\\u009b\\u202ef');
    expect(table([{ title: 'A' }], [['\u001b[2J']])).toEqual(['A', '\\u001b[2J']);
  });
});

describe('commands for people and scripts', () => {
  async function filled() {
    const { url } = await startApp();
    const client = createSequenceClient({ url });
    const sequence = { scope: 's', elementType: ElementType.SPOKEN_WORD };
    const items = [1n, 2n, 3n].map((elementId) => ({
      elementId,
      comment: 'made',
      content: { text: `line ${elementId}\nmore\u001b[31m`, character: 'MARA' },
    }));
    await client.batchGenerate({ ...sequence, items });
    await client.createVersion({ ...sequence, elementId: 2n, comment: 'second' });
    return { at: ['--scope', 's', '--server', url] };
  }

  test('list, history, move and remove', async () => {
    const { at } = await filled();
    expect((await cli(['list', ...at])).stdout.split('\n').at(5)).toBe('spokenWord     3         2');
    expect((await cli(['list', 'spokenword', ...at])).stdout.split('\n')).toEqual([
      'NUMBER  ID  VERSION  COMMENT  CONTENT',
      '     1   1        1  made     MARA: line 1⏎more\\u001b[31m',
      '     2   2        2  second',
      '     3   3        1  made     MARA: line 3⏎more\\u001b[31m',
      '',
    ]);
    const page = await cli(['list', 'spokenWord', ...at, '--start', '2', '--limit', '1', '--json']);
    expect(JSON.parse(page.stdout)).toMatchObject({ totalSize: 3, elements: [{ elementId: '2' }] });

    const history = await cli(['history', 'spokenWord', '2', ...at]);
    expect(history.stdout.split('\n').map((line) => line.replace(/\d{4}-\S+/, 'THEN'))).toEqual([
      'VERSION  NUMBER  MADE                      COMMENT  CONTENT',
      '      2       2  THEN  second',
      '      1       2  THEN  made     MARA: line 2⏎more\\u001b[31m',
      '',
    ]);
    const versions = await cli(['history', 'spokenWord', '2', ...at, '--json']);
    expect(JSON.parse(versions.stdout)).toMatchObject({
      versions: [{ versionNumber: 2 }, { versionNumber: 1 }],
    });

    const moved = await cli(['move', 'spokenWord', '3', '--before', '1', ...at]);
    expect(moved).toEqual({
      code: 0,
      stdout: 'TYPE        ID  FROM  TO  SHIFTED\nspokenWord  3   3     1   1 to 2 by +1\n',
      stderr: '',
    });
    const back = await cli(['move', 'spokenWord', '3', '--position', '3', '--json', ...at]);
    expect(JSON.parse(back.stdout)).toMatchObject({ oldSequenceNumber: 1, newSequenceNumber: 3 });
    const removed = await cli(['remove', 'spokenWord', '1', '--comment', 'cut', ...at]);
    expect(removed.stdout).toBe('TYPE        ID  FROM  SHIFTED\nspokenWord  1   1     2 to 3 by -1\n');
    const last = await cli(['remove', 'spokenWord', '3', '--json', ...at]);
    expect(JSON.parse(last.stdout)).toMatchObject({ oldSequenceNumber: 2 });
  });

  test('without --server they ask where this configuration serves', async () => {
    const { at } = await filled();
    const port = at.at(-1)!.split(':').at(-1)!;
    const { stdout, code } = await cli(['list', 'spokenWord', '--scope', 's'], { PORT: port });
    expect({ code, lines: stdout.split('\n').length }).toEqual({ code: 0, lines: 5 });
    const none = await cli(['list', '--scope', 's'], { PORT: '0' });
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('say with --server') });
  });

  test.each(['import', 'export', 'list', 'history', 'move', 'remove'])('the help on %s', async (command) => {
    const { code, stdout } = await cli(['help', command]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: cli ${command} `));
    expect(stdout).toContain('--server URL');
  });
});
