import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import {
  block,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  framesIn,
  GREETING,
  post,
} from '../support/h2-frames.ts';
import { until } from '../support/until.ts';
import { type Attacker, attacked, LONG, PATH, refusals } from './attack.ts';

const ROUNDS = LONG ? 20 : 1;
const GET = post(`${PATH}GetSequence`);
/** As much of a header block as a frame may carry. */
const FULL = 16_384;

/** Greets, and leaves the answers unread no longer than the kernel does. */
async function greeted(open: () => Attacker): Promise<Attacker> {
  const attacker = open();
  await attacker.send(GREETING);
  return attacker;
}

/** The code of the GOAWAY that came, if one did. */
function goawayCode({ received }: Attacker): number | undefined {
  const goaway = framesIn(received).find(({ type }) => type === FRAME.GOAWAY);
  return goaway?.payload.readUInt32BE(4);
}

test('headers of 1 MB, over CONTINUATION', () =>
  attacked(async ({ open }) => {
    for (let count = 0; count < 20; count++) {
      const attacker = await greeted(open);
      const large = post('/', [['a', 'x'.repeat(1_000_000)]]);
      await attacker.send(frame(FRAME.HEADERS, END_STREAM, 1, large.subarray(0, FULL)));
      for (let at = FULL; at < large.length; at += FULL)
        await attacker.send(
          frame(
            FRAME.CONTINUATION,
            at + FULL >= large.length ? END_HEADERS : 0,
            1,
            large.subarray(at, at + FULL),
          ),
        );
      await attacker.closed;
    }
  }));

test('10,000 headers', () =>
  attacked(async ({ open }) => {
    const many = post(
      '/',
      Array.from({ length: 10_000 }, (_, index) => [`h${index}`, '1'] as const),
    );
    const attackers: Attacker[] = [];
    for (let count = 0; count < 20; count++) {
      const attacker = await greeted(open);
      attackers.push(attacker);
      await attacker.send(frame(FRAME.HEADERS, END_STREAM, 1, many.subarray(0, FULL)));
      for (let at = FULL; at < many.length; at += FULL)
        await attacker.send(
          frame(
            FRAME.CONTINUATION,
            at + FULL >= many.length ? END_HEADERS : 0,
            1,
            many.subarray(at, at + FULL),
          ),
        );
    }
    const isReset = ({ received }: Attacker) =>
      framesIn(received).some(({ type }) => type === FRAME.RST_STREAM);
    await until('all are refused', () => attackers.every((one) => isReset(one) || one.socket.destroyed));
  }));

test('slowloris: a header block that comes a byte at a time', () =>
  attacked(async ({ open }) => {
    const attackers: Attacker[] = [];
    for (let count = 0; count < 100 * ROUNDS; count++) attackers.push(await greeted(open));
    const slow = frame(FRAME.HEADERS, 0, 1, GET);
    for (let at = 0; attackers.some(({ socket }) => !socket.destroyed); at++) {
      for (const attacker of attackers) await attacker.send(slow.subarray(at, at + 1));
      await sleep(100);
    }
  }));

test('slowloris: a preface that comes a byte at a time', () =>
  attacked(async (target) => {
    const attackers = Array.from({ length: 100 * ROUNDS }, () => target.open());
    for (let at = 0; at < 20; at++) {
      for (const attacker of attackers) await attacker.send(GREETING.subarray(at, at + 1));
      await sleep(100);
    }
    await Promise.all(attackers.map(({ closed }) => closed));
    expect((await refusals(target))['first_byte_timeout']).toBe(attackers.length);
  }));

test('rapid reset', () =>
  attacked(async ({ open }) => {
    for (let round = 0; round < 5 * ROUNDS; round++) {
      const attacker = await greeted(open);
      let streams = 0;
      for (let first = 1; !attacker.socket.destroyed && first < 200_000; first += 200) {
        const frames: Buffer[] = [];
        for (let stream = first; stream < first + 200; stream += 2)
          frames.push(
            frame(FRAME.HEADERS, END_HEADERS | END_STREAM, stream, GET),
            frame(FRAME.RST_STREAM, 0, stream, Buffer.of(0, 0, 0, 8)),
          );
        await attacker.send(Buffer.concat(frames));
        streams += 100;
        await sleep(0);
      }
      await attacker.closed;
      expect(streams).toBeLessThan(50_000);
    }
  }));

test.each([
  ['PING', frame(FRAME.PING, 0, 0, Buffer.alloc(8))],
  ['SETTINGS', frame(FRAME.SETTINGS, 0, 0, Buffer.of(0, 4, 0, 0, 255, 255))],
  ['empty SETTINGS', frame(FRAME.SETTINGS, 0, 0)],
  ['WINDOW_UPDATE', frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.of(0, 0, 0, 1))],
])('a flood of %s, the answers unread', (_name, one) =>
  attacked(async ({ open }) => {
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => one));
    for (let round = 0; round < 3 * ROUNDS; round++) {
      const attacker = await greeted(open);
      attacker.socket.pause();
      // 500,000 frames, or fewer where the connection is closed before, or nobody reads them any longer.
      await Promise.race([attacker.repeat(many, 500), sleep(5_000)]);
      attacker.socket.destroy();
    }
  }),
);

test('a flood of CONTINUATION', () =>
  attacked(async ({ open }) => {
    for (let round = 0; round < 10 * ROUNDS; round++) {
      const attacker = await greeted(open);
      await attacker.send(frame(FRAME.HEADERS, END_STREAM, 1, GET));
      const sent = await attacker.repeat(frame(FRAME.CONTINUATION, 0, 1, block([['a', 'b']])), 100_000);
      expect(sent).toBeLessThan(100_000);
      await attacker.closed;
    }
  }));

test('a flood of empty CONTINUATION', () =>
  attacked(async ({ open }) => {
    const attacker = await greeted(open);
    await attacker.send(frame(FRAME.HEADERS, END_STREAM, 1, GET));
    const sent = await attacker.repeat(frame(FRAME.CONTINUATION, 0, 1), 100_000);
    expect(sent).toBeLessThan(100_000);
    await attacker.closed;
  }));

test('streams that are never closed', () =>
  attacked(async (target) => {
    const attackers: Attacker[] = [];
    for (let count = 0; count < 20 * ROUNDS; count++) {
      const attacker = await greeted(target.open);
      attackers.push(attacker);
      const frames: Buffer[] = [];
      // Beyond the 256 that there may be, they are refused.
      for (let stream = 1; stream < 600; stream += 2)
        frames.push(
          frame(FRAME.HEADERS, END_HEADERS, stream, post(`${PATH}Generate`)),
          frame(FRAME.DATA, 0, stream, Buffer.from('{')),
        );
      await attacker.send(Buffer.concat(frames));
    }
    await Promise.all(attackers.map(({ closed }) => closed));
    // Those that came before others were seen to have no end are refused for their number, and make room for some of
    // the 300 of a connection that were beyond it.
    const { request_timeout: late = 0, overloaded = 0 } = await refusals(target);
    expect(late + overloaded).toBeGreaterThanOrEqual(256 * attackers.length);
    expect(late + overloaded).toBeLessThanOrEqual(300 * attackers.length);
    expect(late).toBeGreaterThan(0);
  }));

test('connections that close their half at once', () =>
  attacked(async ({ open }) => {
    for (let round = 0; round < 10 * ROUNDS; round++) {
      const attackers: Attacker[] = [];
      for (let count = 0; count < 50; count++) {
        const attacker = await greeted(open);
        await attacker.send(frame(FRAME.HEADERS, END_HEADERS, 1, post(`${PATH}Generate`)));
        attacker.socket.end();
        attackers.push(attacker);
      }
      await Promise.all(attackers.map(({ closed }) => closed));
    }
  }));

test('answers that nobody lets through: a window of nothing', () =>
  attacked(async (target) => {
    const attackers: Attacker[] = [];
    for (let count = 0; count < 10 * ROUNDS; count++) {
      const attacker = await greeted(target.open);
      attackers.push(attacker);
      const frames = [frame(FRAME.SETTINGS, 0, 0, Buffer.of(0, 4, 0, 0, 0, 0))];
      for (let stream = 1; stream < 100; stream += 2)
        frames.push(
          frame(FRAME.HEADERS, END_HEADERS, stream, GET),
          frame(FRAME.DATA, END_STREAM, stream, Buffer.from('{"scope":"play","elementType":1}')),
        );
      await attacker.send(Buffer.concat(frames));
    }
    await Promise.all(attackers.map(({ closed }) => closed));
    for (const attacker of attackers) expect(goawayCode(attacker)).toBe(0);
    expect((await refusals(target))['answer_timeout']).toBe(50 * attackers.length);
  }));
