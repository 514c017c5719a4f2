import { expect, test } from 'vitest';
import { createLogger, type LogOptions } from '../../src/log.ts';

function collect(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLogger({ level: 'info', pretty: 'auto', serviceName: 'svc', destination, ...options });
  return { ...log, lines, last: () => JSON.parse(lines.at(-1)!) };
}

test('a line is JSON with ISO time, the level as a word, and the service', () => {
  const { logger, lines, last } = collect();
  logger.info({ method: 'Move' }, 'done');
  const { time, ...rest } = last();
  expect(rest).toEqual({ level: 'info', service: 'svc', method: 'Move', msg: 'done' });
  expect(new Date(time).toISOString()).toBe(time);
  expect(lines[0]!.endsWith('}\n')).toBe(true);
});

test('the level holds, and silent is silent', () => {
  const { logger, lines } = collect({ level: 'warn' });
  logger.info('no');
  logger.warn('yes');
  expect(lines).toHaveLength(1);
  const silent = collect({ level: 'silent' });
  silent.logger.fatal('no');
  expect(silent.lines).toEqual([]);
});

test('secrets are redacted at any depth, in any spelling, in arrays and in bindings', () => {
  const { logger, lines } = collect();
  const headers = {
    Authorization: 'geheim',
    'set-cookie': ['geheim'],
    'x-api-key': 'geheim',
    'x-request-id': 'kept',
  };
  logger.info({
    req: { headers },
    list: [{ access_token: 'geheim' }],
    password: 'geheim',
    ADMIN_TOKEN: 'geheim',
  });
  logger
    .child({ cookie: 'geheim', id: 'kept' })
    .child({ deep: { client_secret: 'geheim' } })
    .info('x');
  expect(lines.join('')).not.toContain('geheim');
  expect(lines.every((line) => line.includes('kept') && line.includes('[redacted]'))).toBe(true);
});

test('what is logged is not changed by it', () => {
  const { logger } = collect();
  const given = { token: 'geheim', nested: { list: [1] } };
  logger.info(given);
  expect(given).toEqual({ token: 'geheim', nested: { list: [1] } });
});

test('an error keeps type, message, stack, code and cause, and nothing else', () => {
  const { logger, last } = collect();
  const cause = Object.assign(new RangeError('inner'), { code: 'SQLITE_FULL', parameters: ['content'] });
  const error = Object.assign(new TypeError('outer', { cause }), {
    query: 'INSERT',
    parameters: ['content'],
  });
  logger.error({ err: error }, 'failed');
  expect(last()).toMatchObject({ msg: 'failed', err: { type: 'TypeError', message: 'outer' } });
  expect(Object.keys(last().err)).toEqual(['type', 'message', 'stack', 'cause']);
  expect(last().err.cause).toEqual({
    type: 'RangeError',
    message: 'inner',
    stack: expect.stringContaining('RangeError: inner\n    at '),
    code: 'SQLITE_FULL',
  });
  logger.error(error);
  expect(last()).toMatchObject({ msg: 'outer', err: { type: 'TypeError', cause: { code: 'SQLITE_FULL' } } });
  logger.child({ err: error }).info('bound');
  expect(last().err.cause.parameters).toBeUndefined();
  logger.error({ reason: new AggregateError([new Error('one')], 'all') });
  expect(last().reason.errors).toMatchObject([{ type: 'Error', message: 'one' }]);
});

test('circles, depth and width are bounded', () => {
  const { logger, lines, last } = collect();
  const circle: Record<string, unknown> = {
    wide: Array.from({ length: 1000 }, (_, i) => i),
    bytes: Buffer.alloc(9),
  };
  circle['self'] = circle;
  const error = new Error('x'.repeat(1_000_000));
  error.cause = error;
  logger.info({ circle, id: 2n ** 53n, err: error }, 'x');
  expect(last().circle).toMatchObject({
    bytes: '[9 bytes]',
    self: { self: { self: { self: { self: '[deep]' } } } },
  });
  expect(last().circle.wide).toHaveLength(100);
  expect(lines[0]).toContain('"id":9007199254740992');
  expect(lines[0]!.length).toBeLessThan(250_000);
});

const CONTROLS = /(?!\n)[\p{Cc}\u2028-\u202e]/u;
const hostile = 'a\u001b[2J\u009b31m\u007f\u2028\u202e\r\nforged';

test('JSON lines hold no control character, and the text is whole', () => {
  const { logger, lines, last } = collect();
  logger.info({ [hostile]: hostile }, hostile);
  expect(lines[0]).not.toMatch(CONTROLS);
  expect(lines[0]!.trimEnd()).not.toContain('\n');
  expect(last()).toMatchObject({ [hostile]: hostile, msg: hostile });
});

test('a request is one pretty line', () => {
  const { logger, lines } = collect({ pretty: 'on' });
  logger.info({ method: 'Generate', code: 'OK', seconds: 0.001 }, 'rpc');
  expect(lines[0]).toMatch(/^\[[\d:.]+\] INFO: rpc \{"method":"Generate","code":"OK","seconds":0.001\}\n$/);
});

test('pretty lines hold no control character, and no text forges a line', () => {
  const { logger, lines } = collect({ pretty: 'on' });
  logger.warn({ [hostile]: hostile, err: new Error(hostile), list: [{ [hostile]: hostile }] }, hostile);
  expect(lines[0]).toMatch(/WARN.*: a\\u001b\[2J/);
  expect(lines[0]).not.toMatch(CONTROLS);
  expect(lines[0]).not.toMatch(/^forged/m);
  expect(lines[0]).toMatch(/\n +at /);
});

test('pretty falls back to JSON, with one warning, where pino-pretty is not installed', () => {
  const loadPretty = () => {
    throw new Error('Cannot find module');
  };
  const { logger, lines } = collect({ pretty: 'on', loadPretty });
  logger.info('x');
  logger.info('y');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    'pino-pretty is not installed: the log is JSON',
    'x',
    'y',
  ]);
  const unasked = collect({ pretty: 'auto', loadPretty });
  expect(unasked.lines).toEqual([]);
});
