import { expect, test } from 'vitest';
import { RUBBISH } from '../support/key-service/rubbish.ts';
import { startKeyService } from '../support/key-service/start.ts';
import { ask, failureOf } from './ask.ts';

async function ready() {
  const double = await startKeyService({ keys: { sequence: 'first' } });
  const get = (service = 'sequence', token = 'admin-token') =>
    ask(double.url, 'GET', `/keys/${service}`, { headers: { authorization: `Bearer ${token}` } });
  return { double, get };
}

test('gives a key to who has the admin token', async () => {
  const { double, get } = await ready();
  expect(await get()).toMatchObject({
    status: 200,
    body: '{"service_name":"sequence","api_key":"first"}',
  });
  expect((await get('sequence', 'wrong')).status).toBe(401);
  expect((await ask(double.url, 'GET', '/keys/sequence')).status).toBe(401);
  expect(await get('other')).toMatchObject({ status: 404, body: '{"detail":"API key not found"}' });
  expect((await ask(double.url, 'POST', '/keys/sequence')).status).toBe(404);
  expect(double.fetches).toBe(4);
});

test('rotates', async () => {
  const { double, get } = await ready();
  const key = double.rotate('sequence');
  expect(key).not.toBe('first');
  expect(JSON.parse((await get()).body)).toEqual({ service_name: 'sequence', api_key: key });
  double.rotate('sequence', 'chosen');
  expect(double.key('sequence')).toBe('chosen');
});

test.each(Object.keys(RUBBISH))('rubbish: %s', async (name) => {
  const { double, get } = await ready();
  double.faults.next(RUBBISH[name]!);
  const answer = await get();
  expect(answer.status).toBe(200);
  expect(answer.body).not.toContain('first');
  expect((await get()).body).toContain('first');
});

test('slow, and down', async () => {
  const { double, get } = await ready();
  double.faults.next({ kind: 'delay', ms: 60 });
  const startMs = performance.now();
  expect((await get()).status).toBe(200);
  expect(performance.now() - startMs).toBeGreaterThan(55);
  await double.server.refuse();
  expect(await failureOf(get())).toBe('ECONNREFUSED');
  await double.server.open();
  expect((await get()).status).toBe(200);
});
