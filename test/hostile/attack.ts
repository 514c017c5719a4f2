import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, vi } from 'vitest';
import { h1Caller } from '../support/caller.ts';
import { metricsOf } from '../support/metrics-page.ts';
import { type Service, startService } from '../support/service.ts';
import { until } from '../support/until.ts';

/** How much more is done with LONG=1. */
export const LONG = process.env['LONG'] === '1';
export const PATH = '/fountain.sequence.v1.SequenceService/';

// Each test starts a service of its own, on a machine that other tests share.
vi.setConfig({ testTimeout: LONG ? 600_000 : 90_000 });

const COLLECT = new URL('./collect.ts', import.meta.url).pathname;
const SEQUENCE = { scope: 'play', elementType: 'ELEMENT_TYPE_SCRIPT' };
/** What an attack may leave on the heap, bytes: code that was compiled, buffers of what still runs. */
const MAX_LEFT = 12 * 1024 * 1024;
/** What a service may ever take in these tests, MB. */
const MAX_RSS_MB = 500;
/** The longest that another caller may have to wait meanwhile, on a machine that other tests share. */
const MAX_WAIT_MS = 5_000;

/** A service under attack. */
export interface Target extends Service {
  /** A connection of an attacker; it is closed when the attack is over. */
  open(): Attacker;
}

/** A raw connection that sends what it likes and remembers what came back. */
export class Attacker {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  received = Buffer.alloc(0);

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]).subarray(-1_000_000);
    });
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  /** Sends, and waits until the system has taken it or the connection is closed. */
  async send(bytes: string | Uint8Array): Promise<boolean> {
    if (this.socket.destroyed) return false;
    if (this.socket.write(bytes)) return true;
    const drained = new Promise<void>((resolve) => this.socket.once('drain', resolve));
    await Promise.race([drained, this.closed, sleep(5_000)]);
    return !this.socket.destroyed;
  }

  /** Sends the same again and again, so often or until the connection is closed; returns how often. */
  async repeat(bytes: Uint8Array, times: number): Promise<number> {
    for (let sent = 0; sent < times; sent++) {
      if (!(await this.send(bytes))) return sent;
      if (sent % 64 === 0) await sleep(0);
    }
    return times;
  }
}

/**
 * Starts a service, attacks it, and holds it to what is promised: another caller is served all the time, and
 * afterwards memory and descriptors are where they were.
 */
export async function attacked(
  attack: (target: Target) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const times = { HEADERS_TIMEOUT: '1s', REQUEST_TIMEOUT: '2s', IDLE_TIMEOUT: '2s' };
  const service = await startService({
    env: { ...times, LOG_LEVEL: 'info', ...env },
    execArgs: ['--expose-gc', '--import', COLLECT],
  });
  const call = h1Caller(service.port);
  for (let elementId = 1; elementId <= 200; elementId++) await call('Generate', { ...SEQUENCE, elementId });
  const before = await held(service);

  let attacking = true;
  const waits: number[] = [];
  const others = (async () => {
    for (let elementId = 1_001; attacking; elementId++) {
      const started = performance.now();
      expect(await call('Generate', { ...SEQUENCE, elementId })).toMatchObject({ status: 200 });
      waits.push(performance.now() - started);
      await sleep(20);
    }
  })();
  const attackers: Attacker[] = [];
  onTestFinished(() => {
    attacking = false;
    for (const { socket } of attackers) socket.destroy();
  });
  const open = () => {
    const attacker = new Attacker(service.port);
    attackers.push(attacker);
    return attacker;
  };
  await Promise.race([attack({ ...service, open }), others]);
  attacking = false;
  await others;
  for (const { socket } of attackers) socket.destroy();

  expect(Math.max(...waits)).toBeLessThan(MAX_WAIT_MS);
  await until('descriptors are where they were', () => descriptors(service) <= before.descriptors, 10_000);
  await until(
    'memory is where it was',
    async () => (await held(service)).heap < before.heap + MAX_LEFT,
    10_000,
  );
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${service.child.pid}/status`, 'utf8'))?.[1];
  expect(Number(peak) / 1024).toBeLessThan(MAX_RSS_MB);
  service.child.kill('SIGTERM');
  const { code, stderr } = await service.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

/** The requests that the service has counted as refused, by reason. */
export async function refusals({ url }: Service): Promise<Record<string, number>> {
  const samples = [...(await metricsOf(url))].flatMap(([name, value]) => {
    const reason = /^sequence_requests_refused_total\{reason="(.*)"\}$/.exec(name)?.[1];
    return reason === undefined ? [] : [[reason, value] as const];
  });
  return Object.fromEntries(samples);
}

async function held(service: Service): Promise<{ heap: number; descriptors: number }> {
  service.child.kill('SIGUSR2');
  await sleep(100);
  const metrics = await metricsOf(service.url);
  const heap = metrics.get('sequence_nodejs_heap_size_used_bytes')!;
  return {
    heap: heap + metrics.get('sequence_nodejs_external_memory_bytes')!,
    descriptors: descriptors(service),
  };
}

function descriptors({ child }: Service): number {
  return readdirSync(`/proc/${child.pid}/fd`).length;
}
