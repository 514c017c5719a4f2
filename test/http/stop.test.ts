import { createHook } from 'node:async_hooks';
import http from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { DEFAULT_LISTENER_LIMITS } from '../../src/http/limits.ts';
import { createListener } from '../../src/http/listener.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/types.ts';
import { END_HEADERS, END_STREAM, FRAME, frame, framesIn, GREETING, post } from '../support/h2-frames.ts';
import { type Answer, cleanUp, h1get, h2connect, h2get, Raw, run, sleep, waitFor } from './harness.ts';

afterEach(async () => {
  expect(await cleanUp()).toBe(false);
});

/** Of PING and SETTINGS. */
const ACK = 0x1;

const quiet = {
  host: '127.0.0.1',
  limits: DEFAULT_LISTENER_LIMITS,
  onRequest: (_req: HttpRequest, res: HttpResponse) => void res.end(),
  onRefused() {},
  onError() {},
};

/** A handler whose requests wait until they are released. */
function gatekeeper() {
  const held: (() => void)[] = [];
  return {
    held,
    onRequest(_req: HttpRequest, res: HttpResponse) {
      held.push(() => void (res as http.ServerResponse).end('done'));
    },
    release() {
      for (const answer of held.splice(0)) {
        answer();
      }
    },
  };
}

describe('start', () => {
  test('once, whoever asks; and the port is known', async () => {
    const { listener, port } = await run(quiet.onRequest);
    expect(listener.start()).toBe(listener.start());
    expect(await listener.start()).toEqual({ host: '127.0.0.1', port });
    expect(listener.port).toBe(port);
  });

  test('a port that is taken is named', async () => {
    const { port } = await run(quiet.onRequest);
    const second = createListener({ ...quiet, port });
    await expect(second.start()).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: the port is taken`);
    expect(() => second.port).toThrow('has not been started');
    await second.stop();
  });

  test('not after stop', async () => {
    const listener = createListener({ ...quiet, port: 0 });
    await listener.stop();
    await expect(listener.start()).rejects.toThrow('has been stopped');
  });
});

describe('stop', () => {
  test('during start waits for it; and a second call is the first', async () => {
    const listener = createListener({ ...quiet, port: 0 });
    const started = listener.start();
    const stopped = listener.stop();
    expect(listener.stop()).toBe(stopped);
    const { port } = await started;
    await stopped;
    await expect(h1get(port)).rejects.toThrow('ECONNREFUSED');
  });

  test('closes what is idle', async () => {
    const { listener, port } = await run(quiet.onRequest);
    const h1 = new Raw(port);
    h1.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await h1.until('200 OK');
    new Raw(port);
    const h2 = h2connect(port);
    await h2get(h2);
    await waitFor(() => listener.connections() === 3);
    await listener.stop();
    expect(listener.connections()).toBe(0);
    await h1.closed;
    await waitFor(() => h2.destroyed);
  });

  test('lets what runs finish, and says that the connection closes', async () => {
    const gate = gatekeeper();
    const { listener, port } = await run(gate.onRequest);
    const h1 = h1get(port, { agent: new http.Agent({ keepAlive: true }) });
    const session = h2connect(port);
    const goaway = new Promise((resolve) => session.on('goaway', resolve));
    const h2 = h2get(session);
    await waitFor(() => gate.held.length === 2);
    let stopped = false;
    const stopping = listener.stop().then(() => {
      stopped = true;
    });
    expect(await goaway).toBe(0);
    expect(stopped).toBe(false);
    gate.release();
    expect(await h1).toMatchObject({ status: 200, body: 'done', headers: { connection: 'close' } });
    expect(await h2).toMatchObject({ status: 200, body: 'done' });
    await stopping;
  });

  test('answers every pipelined request, and closes after the last', async () => {
    const gate = gatekeeper();
    const { listener, port } = await run(gate.onRequest);
    const raw = new Raw(port);
    raw.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor(() => gate.held.length === 2);
    const stopping = listener.stop();
    await sleep(5);
    raw.write('GET /3 HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitFor(() => gate.held.length === 3);
    gate.release();
    const text = await raw.closed;
    expect(text.match(/200 OK/g)).toHaveLength(3);
    expect(text.match(/connection: close/gi)).toHaveLength(1);
    await stopping;
  });

  test('closes after an answer whose headers were out before', async () => {
    let end = () => {};
    const { listener, port } = await run((_req, res) => {
      (res as http.ServerResponse).write('a');
      end = () => void res.end();
    });
    const raw = new Raw(port);
    raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await raw.until('a');
    const stopping = listener.stop();
    await sleep(5);
    end();
    await stopping;
    expect(await raw.closed).toMatch(/0\r\n\r\n$/);
  });

  test('answers what had arrived, whenever it is called', async () => {
    const { listener, port } = await run(quiet.onRequest);
    const [idle, other] = [new Raw(port), new Raw(port)];
    idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await idle.until('200 OK');
    // In a callback of the loop's poll, which knows already what is to be read in this turn.
    const polled = new Promise((resolve) => other.socket.once('data', resolve));
    other.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await polled;
    idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await listener.stop();
    expect((await idle.closed).match(/200 OK/g)).toHaveLength(2);
  });

  describe('HTTP/2: asks for a round trip', () => {
    const get = (stream: number) => frame(FRAME.HEADERS, END_HEADERS | END_STREAM, stream, post('/'));
    const framesOf = ({ received }: Raw, type: number) =>
      framesIn(Buffer.from(received, 'latin1')).filter((one) => one.type === type);
    const goaways = (raw: Raw) =>
      framesOf(raw, FRAME.GOAWAY).map(({ payload }) => ({
        last: payload.readUInt32BE(0),
        code: payload.readUInt32BE(4),
      }));

    test('what has arrived by its end is answered, and the GOAWAY names it', async () => {
      const { listener, port } = await run(quiet.onRequest);
      const raw = new Raw(port);
      raw.write(Buffer.concat([GREETING, get(1)]));
      await waitFor(() => framesOf(raw, FRAME.HEADERS).length === 1);
      const stopping = listener.stop();
      await waitFor(() => framesOf(raw, FRAME.PING).length === 1);
      await sleep(20);
      expect(goaways(raw)).toEqual([]);
      const [ping] = framesOf(raw, FRAME.PING);
      raw.write(Buffer.concat([get(3), frame(FRAME.PING, ACK, 0, ping!.payload), get(5)]));
      await raw.closed;
      expect(framesOf(raw, FRAME.HEADERS).map(({ stream }) => stream)).toEqual([1, 3, 5]);
      // Node says it again where it closes the connection.
      expect(new Set(goaways(raw).map(({ last, code }) => `${last} ${code}`))).toEqual(new Set(['5 0']));
      await stopping;
    });

    test('a request that crosses the GOAWAY is not begun', async () => {
      const gate = gatekeeper();
      const { listener, port } = await run(gate.onRequest);
      const raw = new Raw(port);
      raw.write(Buffer.concat([GREETING, get(1)]));
      await waitFor(() => gate.held.length === 1);
      const stopping = listener.stop();
      await waitFor(() => framesOf(raw, FRAME.PING).length === 1);
      const [ping] = framesOf(raw, FRAME.PING);
      raw.write(frame(FRAME.PING, ACK, 0, ping!.payload));
      await waitFor(() => goaways(raw).length > 0);
      raw.write(get(3));
      await sleep(20);
      expect(gate.held).toHaveLength(1);
      gate.release();
      await raw.closed;
      expect(framesOf(raw, FRAME.HEADERS).map(({ stream }) => stream)).toEqual([1]);
      expect(new Set(goaways(raw).map(({ last }) => last))).toEqual(new Set([1]));
      await stopping;
    });

    test.each([
      ['with nothing running', false],
      ['with a request running', true],
    ])('and does not wait long for it, %s', async (_, running) => {
      const gate = gatekeeper();
      const { listener, port } = await run(gate.onRequest, { farewellTimeoutMs: 100 });
      const raw = new Raw(port);
      raw.write(running ? Buffer.concat([GREETING, get(1)]) : GREETING);
      await waitFor(() => (running ? gate.held.length === 1 : framesOf(raw, FRAME.SETTINGS).length === 2));
      const stopped = performance.now();
      const stopping = listener.stop();
      await waitFor(() => goaways(raw).length > 0);
      expect(performance.now() - stopped).toBeGreaterThan(95);
      expect(performance.now() - stopped).toBeLessThan(1_000);
      gate.release();
      await raw.closed;
      expect(framesOf(raw, FRAME.HEADERS)).toHaveLength(running ? 1 : 0);
      await stopping;
    });
  });

  test('under load: every request that a handler saw is answered, whole', async () => {
    const size = 300_000;
    let seen = 0;
    const { listener, port } = await run((req, res) => {
      seen += 1;
      req.resume();
      setTimeout(() => (res as http.ServerResponse).end('x'.repeat(size)), seen % 7);
    });
    let answered = 0;
    const count = (answer: Answer) => {
      if (answer.body.length === size && answer.error === undefined) {
        answered += 1;
        return true;
      }
      return false;
    };
    const agent = new http.Agent({ keepAlive: true });
    const h1Caller = async () => {
      while (await h1get(port, { agent }).then(count, () => false));
    };
    const session = h2connect(port);
    const h2Caller = async () => {
      while (!session.closed && !session.destroyed && count(await h2get(session)));
    };
    const callers = [...Array.from({ length: 8 }, h1Caller), ...Array.from({ length: 8 }, h2Caller)];
    await waitFor(() => answered > 100);
    await listener.stop();
    await Promise.all(callers);
    expect(answered).toBe(seen);
    agent.destroy();
  });

  test('destroy ends everything at once, and stop with it', async () => {
    const gate = gatekeeper();
    const { listener, port } = await run(gate.onRequest);
    const h1 = h1get(port).catch((err: Error) => err.message);
    const h2 = h2get(h2connect(port));
    await waitFor(() => gate.held.length === 2);
    const stopping = listener.stop();
    listener.destroy();
    await stopping;
    expect(await h1).toContain('socket hang up');
    expect((await h2).status).toBeUndefined();
    gate.release();
    await sleep(5);
  });

  test('leaves no timer and no socket', async () => {
    const living = new Map<number, string>();
    const hook = createHook({
      init: (id, type) => {
        if (/^(Timeout|TCPWRAP|TCPSERVERWRAP)$/.test(type)) {
          living.set(id, type);
        }
      },
      destroy: (id) => living.delete(id),
    }).enable();
    const { listener, port } = await run(quiet.onRequest);
    expect([...living.values()].sort()).toEqual(['TCPSERVERWRAP', 'Timeout', 'Timeout']);
    const raw = new Raw(port);
    raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await raw.until('200 OK');
    await h2get(h2connect(port));
    await listener.stop();
    await cleanUp();
    // Polled without a timer: one of the test's own would be counted.
    for (let turn = 0; living.size > 0 && turn < 1000; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    hook.disable();
    expect([...living.values()]).toEqual([]);
  });
});
