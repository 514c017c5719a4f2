import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '../../src/log.ts';

const logModule = new URL('../../src/log.ts', import.meta.url).href;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const fileLog = (file: string) =>
  createLogger({ level: 'info', pretty: 'auto', serviceName: 'svc', destination: file });
const linesOf = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n');

test('a lone line is in the file within a second', async () => {
  const file = join(folder, 'log');
  const log = fileLog(file);
  log.logger.info('one');
  await sleep(100);
  expect(readFileSync(file, 'utf8')).toBe('');
  await expect.poll(() => readFileSync(file, 'utf8'), { timeout: 1000 }).toContain('"one"');
  await log.close();
});

test('lines that come during a write are not left behind', async () => {
  const file = join(folder, 'log');
  const log = fileLog(file);
  for (let i = 0; i < 300; i++) {
    log.logger.info({ i });
    if (i % 7 === 0) await sleep(1);
  }
  await log.flush();
  expect(linesOf(file)).toHaveLength(300);
  await log.close();
});

test('close writes everything, twice is once, and later lines do no harm', async () => {
  const file = join(folder, 'log');
  const log = fileLog(file);
  for (let i = 0; i < 1000; i++) log.logger.info({ i });
  const closing = log.close();
  expect(log.close()).toBe(closing);
  await closing;
  expect(linesOf(file).map((line) => JSON.parse(line).i)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  log.logger.fatal('late');
  await log.flush();
});

/** Runs a script that finds `log` to write to standard output, which is a pipe, or a file that is opened to write. */
async function run(script: string, stdout: 'pipe' | number = 'pipe', onOutput?: (stream: Readable) => void) {
  const source = `import { createLogger } from ${JSON.stringify(logModule)};
    import { setTimeout as sleep } from 'node:timers/promises';
    const log = createLogger({ level: 'info', pretty: 'auto', serviceName: 'svc' });
    ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', stdout, 'pipe'],
    timeout: 4000,
    killSignal: 'SIGKILL',
  });
  let out = '';
  let err = '';
  child.stderr!.on('data', (chunk) => {
    err += chunk;
  });
  if (onOutput) onOutput(child.stdout!);
  else {
    child.stdout?.on('data', (chunk) => {
      out += chunk;
    });
  }
  const [code] = await once(child, onOutput ? 'exit' : 'close');
  child.stdout?.destroy();
  return { code, err, lines: out.trimEnd().split('\n') };
}

test.each(['', 'process.exit(0)', 'await log.flush(); process.exit(0)', 'await log.close()'])(
  'nothing is lost at an exit by %j',
  async (ending) => {
    const { lines, code, err } = await run(
      `for (let i = 0; i < 500; i++) log.logger.info({ i });\n${ending}`,
    );
    expect({ count: lines.length, code, err }).toEqual({ count: 500, code: 0, err: '' });
  },
);

test('a line after close still comes out', async () => {
  const { lines } = await run(`log.logger.info('one'); await log.close(); log.logger.error('late');`);
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['one', 'late']);
});

const LOG_AND_STOP = `
  for (let i = 0; i < 10; i++) { log.logger.info('x'.repeat(20000)); await sleep(1); }
  log.logger.fatal('fatal');
  await log.close();`;

test.each(['', 'process.exit(0)'])(
  'a full disk ends neither the service nor its stop (%j)',
  async (ending) => {
    const full = openSync('/dev/full', 'w');
    const { code, err } = await run(`${LOG_AND_STOP}\n${ending}`, full).finally(() => closeSync(full));
    expect({ code, err }).toEqual({ code: 0, err: '' });
  },
);

test('nor does a reader that went away', async () => {
  const { code, err } = await run(`await sleep(50); ${LOG_AND_STOP}`, 'pipe', (stream) => stream.destroy());
  expect({ code, err }).toEqual({ code: 0, err: '' });
});

test('nor does a reader that does not read', async () => {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const log = createLogger({ level: 'info', pretty: 'auto', serviceName: 'svc', destination: fd });
  for (let i = 0; i < 20; i++) log.logger.info('x'.repeat(20_000));
  const start = performance.now();
  await log.close();
  expect(performance.now() - start).toBeLessThan(1500);
  await sleep(150);
  closeSync(fd);
});

test('lines beyond the bound are dropped, counted, and told of', async () => {
  const file = join(folder, 'log');
  const log = fileLog(file);
  for (let i = 0; i < 900; i++) log.logger.info('x'.repeat(10_000));
  await log.close();
  const lines = linesOf(file).map((line) => JSON.parse(line));
  const told = lines.at(-1);
  expect(told).toMatchObject({ level: 'warn', service: 'svc', msg: 'log lines were lost' });
  expect(told.lines).toBeGreaterThan(50);
  expect(lines.length - 1 + told.lines).toBe(900);
});
