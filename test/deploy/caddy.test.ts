import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createSequenceClient, ElementType } from '../../client/src/index.ts';
import { GrpcHealthClient } from '../rpc/health/grpc-client.ts';
import { get } from '../support/caller.ts';
import { PROTOCOLS, type Protocol, sequenceClient } from '../support/clients.ts';
import { grpcClient } from '../support/grpc-client.ts';
import { type Service, startService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { HAS_CADDY, startCaddy } from './caddy.ts';

const SEQUENCE = { scope: 'play', elementType: ElementType.SECTION };
const WIRES = Object.keys(PROTOCOLS) as Protocol[];

/** Long: five programs and their callers share the machine with other tests. */
const LIMIT_MS = 25_000;

/** What the replicas share. Nothing: each has a file of its own, so that only reads of what is nowhere are compared. */
const shared = async (): Promise<Record<string, string>> => ({});

async function start() {
  const env = { ...(await shared()), DRAIN_DELAY: '2500ms' };
  const startReplica = (port = 0) => startService({ env: { ...env, PORT: String(port) } });
  const replicas = await Promise.all([startReplica(), startReplica(), startReplica()]);
  return { replicas, startReplica, ...(await startCaddy(replicas.map(({ port }) => port))) };
}

describe.skipIf(!HAS_CADDY)(
  `caddy${HAS_CADDY ? '' : ' (skipped: it is not installed)'}`,
  { timeout: 120_000 },
  () => {
    test('passes every protocol, errors and health included, and shares calls out', async () => {
      const { port, url, replicas } = await start();
      for (const wire of WIRES) {
        const client = sequenceClient(url, wire);
        expect(await client.getSequence(SEQUENCE)).toMatchObject({ size: 0, nextSequenceNumber: 1 });
        const error = await client.getElement({ ...SEQUENCE, elementId: 7n }).catch(ConnectError.from);
        expect(error).toMatchObject({ code: Code.NotFound, details: [{ type: 'google.rpc.ErrorInfo' }] });
      }
      const stub = grpcClient(url);
      const calls = Array.from({ length: 30 }, () => stub.getSequence({ elementType: SEQUENCE.elementType }));
      for (const answer of await Promise.all(calls)) expect(answer).toMatchObject({ size: 0 });
      await until(
        'every replica has served',
        () => replicas.every((replica) => served(replica) > 0),
        LIMIT_MS,
      );

      const health = new GrpcHealthClient(port);
      onTestFinished(() => health.close());
      expect(await health.check('')).toEqual({ status: 'SERVING' });
      expect((await get(port, '/readyz')).status).toBe(200);
      expect((await get(port, '/metrics')).status).toBe(404);
    });

    test('a replica that stops: no call fails, and its Watches end', async () => {
      const { port, url, replicas } = await start();
      const health = new GrpcHealthClient(port);
      onTestFinished(() => health.close());
      const watches = Array.from({ length: 9 }, () => health.watch(''));
      await until('every Watch is told', () => watches.every(({ told }) => told.length === 1), LIMIT_MS);

      const load = startLoad(url);
      await load.go(200);
      replicas[0]!.child.kill('SIGTERM');
      expect(await replicas[0]!.ended).toMatchObject({ code: 0, stderr: '' });
      await load.go(200);
      expect(await load.stop()).toEqual({ OK: expect.any(Number) });

      const ended = watches.filter(({ told }) => told.length === 2);
      expect(ended.length).toBeGreaterThan(0);
      expect(ended.length).toBeLessThan(watches.length);
      for (const watch of ended) {
        expect(watch.told).toEqual(['SERVING', 'NOT_SERVING']);
        expect(await watch.ended).toMatchObject({ code: Code.Unavailable });
      }
    });

    test('a replica that is killed and comes back: calls under way are UNAVAILABLE at most, all others go on', async () => {
      const { url, replicas, startReplica } = await start();
      const load = startLoad(url);
      const [replica] = replicas;
      await load.go(500);
      replica!.child.kill('SIGKILL');
      await replica!.ended;
      await load.go(500);
      const again = await startReplica(replica!.port);
      await until('it is given calls again', () => served(again) > 0, LIMIT_MS);
      const { OK: answered, UNAVAILABLE: failed = 0, [CUT_OFF]: cutOff = 0, ...others } = await load.stop();
      expect(others).toEqual({});
      expect(answered).toBeGreaterThan(1_000);
      // What the replica had under way, and no more.
      expect(failed + cutOff).toBeLessThanOrEqual(load.callers);
    });
  },
);

/** How many calls of SequenceService a replica has answered. */
function served(replica: Service): number {
  return replica.log().filter(({ msg }) => msg === 'rpc').length;
}

/** Of the package's client, which knows a lost connection; without retries it shows every failure. */
const PROTOCOL_OPTIONS = ['connect', 'grpc', 'grpc-web'] as const;

/** Calls over every protocol, one after another by each caller, until it is stopped. */
function startLoad(url: string) {
  const outcomes: Record<string, number> = {};
  let stopped = false;
  const clients = PROTOCOL_OPTIONS.map((protocol) =>
    createSequenceClient({ url, protocol, retry: { maxAttempts: 1 } }),
  );
  const stub = grpcClient(url);
  const calls: (() => Promise<unknown>)[] = [
    ...clients.map((client) => () => client.getSequence(SEQUENCE)),
    () => stub.getSequence({ scope: SEQUENCE.scope, elementType: SEQUENCE.elementType }),
  ];
  const callers = [...calls, ...calls, ...calls].map(async (call) => {
    while (!stopped) {
      const outcome = await call().then(
        () => 'OK',
        (error) => nameOf(error),
      );
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      // Other tests run at the same time.
      await sleep(2);
    }
  });
  onTestFinished(() => {
    stopped = true;
  });
  const answered = () => outcomes['OK'] ?? 0;
  return {
    callers: callers.length,
    /** Resolves when so many more calls have been answered. */
    async go(more: number) {
      const before = answered();
      await until(`${more} more answers`, () => answered() >= before + more, LIMIT_MS);
    },
    async stop() {
      stopped = true;
      await Promise.all(callers);
      return outcomes;
    },
  };
}

/** grpc-js's own name for an answer that broke off in its middle, which Caddy 2.6 ends in order. */
const CUT_OFF = 'Call ended without gRPC status';

/** The code of a failed call, of grpc-js or of connect-es, which number them alike; the message where it is another. */
function nameOf(error: unknown): string {
  const { code, message } = error as { code?: number; message: string };
  if (message.includes(CUT_OFF)) return CUT_OFF;
  return code === Code.Unavailable ? 'UNAVAILABLE' : `${code}: ${message}`;
}
