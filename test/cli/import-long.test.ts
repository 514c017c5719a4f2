import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { startSource } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { longPlay } from './import-plays.ts';

const tell = (line: string) => process.stdout.write(`${line}\n`);

describe.runIf(process.env['LONG'])('3,000 pages', () => {
  test('go in, and a second time nothing is sent', { timeout: 600_000 }, async () => {
    const { url } = await startApp();
    const text = longPlay(3_000);
    const file = join(await temporaryFolder(), 'play.fountain');
    await writeFile(file, text);
    const measured = async (args: string[]) => {
      const started = performance.now();
      const running = await startSource('cli.ts', { args });
      let peak = 0;
      const sampling = setInterval(async () => {
        const status = await readFile(`/proc/${running.child.pid}/status`, 'utf8').catch(() => '');
        peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      }, 50);
      const { code, stdout } = await running.ended;
      clearInterval(sampling);
      const seconds = ((performance.now() - started) / 1_000).toFixed(1);
      tell(`${args[0]}: ${seconds} s, ${Math.round(peak / 1_024)} MB; ${stdout.slice(0, 300).trimEnd()}`);
      expect(code).toBe(0);
      return stdout;
    };
    tell(`${text.split('\n').length} lines, ${(text.length / 1e6).toFixed(1)} MB`);
    const at = ['--scope', 'long', '--server', url];
    await measured(['import', file, ...at]);
    expect(await measured(['import', file, ...at])).toContain('nothing was sent');
    await writeFile(file, text.replace(/\n# Act 60\n/, '\nINT. NEW PLACE\n\nNew.\n\nNOBODY\nNew.\n$&'));
    await measured(['import', file, ...at]);
    const output = join(await temporaryFolder(), 'out');
    await measured(['export', ...at, '-o', output]);
    expect(await readFile(output, 'utf8')).toBe(
      await readFile(file, 'utf8').then((read) => `${read.trimEnd()}\n`),
    );
  });
});
