import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  PROTO_FOLDER,
  SEQUENCE_PROTO,
  SERVICE_CONFIG,
  SERVICE_CONFIG_WITH_REQUEST_IDS,
} from '../../client/src/proto.ts';
import { DEFAULT_RETRY } from '../../client/src/retry.ts';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { startApp } from '../support/app.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

interface MethodConfig {
  readonly name: { readonly service: string; readonly method: string }[];
  readonly timeout: string;
  readonly retryPolicy?: Record<string, unknown>;
}

const configs = {
  reads: await readFile(SERVICE_CONFIG, 'utf8'),
  'with request ids': await readFile(SERVICE_CONFIG_WITH_REQUEST_IDS, 'utf8'),
};
type ConfigName = keyof typeof configs;

const READS = SequenceService.methods
  .filter(({ idempotency }) => idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS)
  .map(({ name }) => name);
const ALL = SequenceService.methods.map(({ name }) => name);

const methodConfigs = (name: ConfigName): MethodConfig[] => JSON.parse(configs[name]).methodConfig;
const methodsOf = (configs: MethodConfig[]) =>
  configs.flatMap(({ name }) => name.map(({ method }) => method));

describe('the service configs', () => {
  test.each(Object.keys(configs) as ConfigName[])('%s: every method stands in it once', (name) => {
    expect(methodsOf(methodConfigs(name)).toSorted()).toEqual(ALL.toSorted());
    for (const { name: names } of methodConfigs(name))
      expect(names.every(({ service }) => service === SequenceService.typeName)).toBe(true);
  });

  test('only reads are repeated, or everything where writes carry request ids', () => {
    const repeated = (name: ConfigName) =>
      methodsOf(methodConfigs(name).filter(({ retryPolicy }) => retryPolicy !== undefined)).toSorted();
    expect(repeated('reads')).toEqual(READS.toSorted());
    expect(repeated('with request ids')).toEqual(ALL.toSorted());
  });

  test('the rules are those of the client', () => {
    const seconds = (ms: number) => `${ms / 1_000}s`;
    const policies = [...methodConfigs('reads'), ...methodConfigs('with request ids')];
    for (const { timeout, retryPolicy } of policies) {
      expect(timeout).toBe('10s');
      if (retryPolicy !== undefined)
        expect(retryPolicy).toEqual({
          maxAttempts: DEFAULT_RETRY.maxAttempts,
          initialBackoff: seconds(DEFAULT_RETRY.initialBackoffMs),
          maxBackoff: seconds(DEFAULT_RETRY.maxBackoffMs),
          backoffMultiplier: 2,
          retryableStatusCodes: ['UNAVAILABLE'],
        });
    }
  });
});

describe('grpc-js with a service config, behind a faulty network', () => {
  const definition = loadSync(SEQUENCE_PROTO, {
    includeDirs: [PROTO_FOLDER],
    keepCase: true,
    longs: String,
    defaults: true,
  });
  const Service = (grpc.loadPackageDefinition(definition) as never)['fountain']['sequence']['v1'][
    'SequenceService'
  ] as grpc.ServiceClientConstructor;

  async function start(config: ConfigName): Promise<{ proxy: FaultProxy; call: Call }> {
    const proxy = await startFaultProxy((await startApp()).port);
    const client = new Service(new URL(proxy.url).host, grpc.credentials.createInsecure(), {
      'grpc.service_config': configs[config],
      'grpc.initial_reconnect_backoff_ms': 100,
    });
    onTestFinished(() => client.close());
    const call: Call = (method, request) => {
      const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
      client[method]!({ element_type: 1, ...request }, (error: unknown, answer: Record<string, unknown>) =>
        error === null ? resolve(answer) : reject(error),
      );
      return promise;
    };
    return { proxy, call };
  }
  type Call = (method: string, request?: object) => Promise<Record<string, unknown>>;

  test.each(Object.keys(configs) as ConfigName[])('%s: a read is repeated', async (config) => {
    const { proxy, call } = await start(config);
    proxy.plan('lose-answer', 'lose-answer');
    expect(await call('GetSequence')).toMatchObject({ size: 0 });
    expect(proxy.connections).toBe(3);
  });

  test('a write whose answer is lost is not repeated', async () => {
    const { proxy, call } = await start('reads');
    proxy.plan('lose-answer');
    await expect(call('Generate', { element_id: 7 })).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
    });
    expect(await call('GetSequence')).toMatchObject({ size: 1, revision: '1' });
  });

  test('with a request id, it is repeated and applied once', async () => {
    const { proxy, call } = await start('with request ids');
    proxy.plan('lose-answer', 'lose-answer');
    const answer = await call('Generate', { element_id: 7, request_id: randomUUID() });
    expect(answer).toMatchObject({ sequence_number: 1, revision: '1' });
    expect(await call('GetSequence')).toMatchObject({ size: 1, revision: '1' });
  });
});
