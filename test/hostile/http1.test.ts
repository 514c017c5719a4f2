import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { attacked, LONG, PATH, refusals } from './attack.ts';

/** 10,000 need as many descriptors on either side. */
const IDLE_CONNECTIONS = LONG ? 10_000 : 1_500;
const SLOW_CONNECTIONS = LONG ? 2_000 : 200;
const START = `POST ${PATH}Generate HTTP/1.1\r\nHost: x\r\n`;

test('headers of 1 MB', () =>
  attacked(async ({ open }) => {
    for (let count = 0; count < 20; count++) {
      const attacker = open();
      await attacker.send(`${START}A: ${'x'.repeat(1_000_000)}\r\n\r\n`);
      await attacker.closed;
      expect(attacker.received.toString('latin1', 0, 12)).toBe('HTTP/1.1 431');
    }
  }));

test('10,000 headers', () =>
  attacked(async ({ open }) => {
    for (let count = 0; count < 20; count++) {
      const attacker = open();
      const fields = Array.from({ length: 10_000 }, (_, index) => `h${index}: 1\r\n`).join('');
      await attacker.send(`${START}${fields}\r\n`);
      await attacker.closed;
      expect(attacker.received.toString('latin1', 0, 12)).toBe('HTTP/1.1 431');
    }
  }));

test('slowloris: headers that come a byte at a time', () =>
  attacked(async (target) => {
    const attackers = Array.from({ length: SLOW_CONNECTIONS }, () => target.open());
    for (const attacker of attackers) await attacker.send(START);
    const closed = Promise.all(attackers.map((attacker) => attacker.closed)).then(() => 'closed');
    const dripping = async () => {
      while (attackers.some(({ socket }) => !socket.destroyed)) {
        for (const attacker of attackers) await attacker.send('a');
        await sleep(100);
      }
    };
    await Promise.race([Promise.all([closed, dripping()]), sleep(20_000)]);
    expect(attackers.filter(({ socket }) => !socket.destroyed)).toEqual([]);
    expect((await refusals(target))['header_timeout']).toBe(SLOW_CONNECTIONS);
  }));

test('slowloris: bodies that come a byte at a time', () =>
  attacked(async (target) => {
    const attackers = Array.from({ length: SLOW_CONNECTIONS }, () => target.open());
    for (const attacker of attackers)
      await attacker.send(`${START}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`);
    while (attackers.some(({ socket }) => !socket.destroyed)) {
      for (const attacker of attackers) await attacker.send(' ');
      await sleep(100);
    }
    expect((await refusals(target))['request_timeout']).toBe(SLOW_CONNECTIONS);
  }));

test(`${IDLE_CONNECTIONS} idle connections`, () =>
  attacked(
    async (target) => {
      const attackers = [];
      for (let count = 0; count < IDLE_CONNECTIONS; count++) {
        attackers.push(target.open());
        if (count % 100 === 0) await sleep(5);
      }
      // Half of them have made a request before; the rest says nothing and is closed after 10 s.
      for (const attacker of attackers.slice(0, IDLE_CONNECTIONS / 2))
        await attacker.send('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
      await Promise.all(attackers.map(({ closed }) => closed));
      expect(attackers.filter(({ received }) => received.includes('200 OK'))).toHaveLength(
        IDLE_CONNECTIONS / 2,
      );
      expect((await refusals(target))['first_byte_timeout']).toBe(IDLE_CONNECTIONS / 2);
    },
    { MAX_CONNECTIONS: '10100' },
  ));

test('more connections than there may be', () =>
  attacked(
    async (target) => {
      for (let round = 0; round < 5; round++) {
        const attackers = Array.from({ length: 400 }, () => target.open());
        await sleep(100);
        for (const { socket } of attackers) socket.destroy();
        await sleep(100);
      }
      expect((await refusals(target))['too_many_connections']).toBeGreaterThan(1_000);
    },
    { MAX_CONNECTIONS: '100' },
  ));

test('answers that are read a byte a second', () =>
  attacked(async (target) => {
    // About 2 MB a page.
    const elements = Array.from({ length: 200 }, (_, index) => ({
      elementId: index + 1,
      content: { text: 'x'.repeat(15_000) },
    }));
    for (let first = 0; first < 200; first += 100) {
      const body = JSON.stringify({
        scope: 'large',
        elementType: 'ELEMENT_TYPE_SCRIPT',
        items: elements.slice(first, first + 100),
      });
      const generated = await fetch(`${target.url}${PATH}BatchGenerate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      expect(generated.status).toBe(200);
    }
    const list = '{"scope":"large","elementType":"ELEMENT_TYPE_SCRIPT","includeContent":true,"pageSize":200}';
    const request = `POST ${PATH}ListElements HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${list.length}\r\n\r\n${list}`;
    const attackers = Array.from({ length: 8 }, () => target.open());
    for (const attacker of attackers) {
      attacker.socket.pause();
      await attacker.send(request.repeat(4));
    }
    const refused = async () => (await refusals(target))['answer_timeout'] ?? 0;
    for (let second = 0; second < 15 && (await refused()) < attackers.length; second++) {
      for (const { socket } of attackers) socket.read(1);
      await sleep(1_000);
    }
    expect(await refused()).toBe(attackers.length);
  }));
