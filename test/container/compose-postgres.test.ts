import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { COMMANDS } from '../../src/cli/commands.ts';
import { DEFAULT_UPSTREAMS, NOTICE_MS } from '../deploy/caddyfile.ts';
import { HAS_POSTGRES, imageConfig, unknownNames } from '../deploy/settings.ts';
import { finalStage, ROOT, readDockerfile, textsOf } from './dockerfile.ts';

interface Service {
  readonly [key: string]: unknown;
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { condition: string }>> | readonly string[];
  readonly healthcheck?: Readonly<Record<string, unknown>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly restart: string;
}

/** The attributes of a service in the Compose Specification that this repository has a use for. */
const ATTRIBUTES = [
  ...['build', 'image', 'command', 'environment', 'depends_on', 'healthcheck', 'ports', 'volumes', 'tmpfs'],
  ...['restart', 'stop_grace_period', 'read_only', 'cap_drop', 'cap_add', 'security_opt', 'shm_size'],
];
const HEALTHCHECK = ['test', 'interval', 'timeout', 'retries', 'start_period', 'disable'];

const file: {
  name: string;
  services: Record<string, Service>;
  volumes: Record<string, null>;
} = parse(readFileSync(join(ROOT, 'compose.postgres.yaml'), 'utf8'), { merge: true });
const { services } = file;
const image = finalStage(readDockerfile());
const [port] = textsOf(image, 'EXPOSE');
const replicas = Object.entries(services).filter(([name]) => name.startsWith('sequence-'));
const ours = [...replicas.map(([, service]) => service), services['migrate']!];
const seconds = (text: unknown) => Number(/^(\d+)s$/.exec(String(text))![1]);

describe('compose.postgres.yaml', () => {
  test('keeps to the specification', () => {
    expect(Object.keys(file).filter((key) => !key.startsWith('x-'))).toEqual(['name', 'services', 'volumes']);
    for (const service of Object.values(services)) {
      expect(Object.keys(service).filter((key) => !ATTRIBUTES.includes(key))).toEqual([]);
      expect(Object.keys(service.healthcheck ?? {}).filter((key) => !HEALTHCHECK.includes(key))).toEqual([]);
      for (const name of dependencies(service)) expect(services).toHaveProperty([name]);
    }
  });

  test('three replicas and the migration run what the Dockerfile builds, with no right that they do not need', () => {
    expect(replicas).toHaveLength(3);
    for (const service of ours)
      expect(service).toMatchObject({
        build: '.',
        image: 'sequence-service',
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        tmpfs: textsOf(image, 'VOLUME'),
      });
  });

  test('the migration is over before a replica starts, and PostgreSQL is healthy before either', () => {
    for (const [, { depends_on: on, command }] of replicas) {
      expect(command).toBeUndefined();
      expect(on).toEqual({
        postgres: { condition: 'service_healthy' },
        migrate: { condition: 'service_completed_successfully' },
      });
    }
    const { depends_on: on, command, restart } = services['migrate']!;
    expect(COMMANDS.map(({ name }) => [name])).toContainEqual(command);
    expect(on).toEqual({ postgres: { condition: 'service_healthy' } });
    expect(restart).toBe('on-failure:5');
  });

  test('what stays up is restarted, and its health is known', () => {
    for (const [name, { restart, healthcheck }] of Object.entries(services)) {
      if (name === 'migrate') continue;
      expect(restart).toBe('unless-stopped');
      if (name.startsWith('sequence-')) expect(healthcheck).toBeUndefined();
      else expect(healthcheck).toHaveProperty('test');
    }
    expect(textsOf(image, 'HEALTHCHECK')).toHaveLength(1);
  });

  test('no secret stands in it, and none has a default', () => {
    const text = readFileSync(join(ROOT, 'compose.postgres.yaml'), 'utf8');
    const interpolated = [...text.matchAll(/\$\{(\w*)([^}]*)\}/g)];
    expect(new Set(interpolated.map(([, name]) => name))).toEqual(
      new Set(['POSTGRES_PASSWORD', 'TYPESENSE_API_KEY']),
    );
    expect(new Set(interpolated.map(([, , rest]) => rest))).toEqual(new Set([':?is not set']));
    for (const { environment = {} } of Object.values(services))
      for (const [name, value] of Object.entries(environment))
        if (/PASSWORD|KEY|TOKEN|SECRET/.test(name)) expect(value).toMatch(/^\$\{/);
  });

  test('only Caddy is published, on the loopback address; it knows every replica and its port', () => {
    const published = Object.entries(services).filter(([, { ports }]) => ports !== undefined);
    expect(published.map(([name, { ports }]) => [name, ports])).toEqual([
      ['caddy', [`127.0.0.1:${port}:${port}`]],
    ]);
    expect(DEFAULT_UPSTREAMS).toEqual(replicas.map(([name]) => `h2c://${name}:${port}`));
    expect(dependencies(services['caddy']!)).toEqual(replicas.map(([name]) => name));
  });

  test('every volume is declared and used, and every file is there', () => {
    const sources = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes.map((volume) => volume.split(':')[0]!),
    );
    const named = sources.filter((source) => !source.startsWith('.'));
    expect(named.toSorted()).toEqual(Object.keys(file.volumes).toSorted());
    for (const source of sources)
      if (source.startsWith('.')) expect(existsSync(join(ROOT, source))).toBe(true);
  });

  test('the settings are variables of the service; all replicas and the migration have the same', () => {
    const [first, ...others] = ours.map(({ environment }) => environment!);
    expect(unknownNames(Object.keys(first!))).toEqual([]);
    for (const other of others) expect(other).toEqual(first);
    const { stopTimeoutMs } = imageConfig({}).server;
    expect(seconds(first!['DRAIN_DELAY']) * 1000).toBeGreaterThan(NOTICE_MS);
    expect(seconds(first!['DRAIN_DELAY']) * 1000).toBeLessThan(stopTimeoutMs);
    for (const [, service] of replicas)
      expect(seconds(service['stop_grace_period']) * 1000).toBeGreaterThan(stopTimeoutMs + 2_000);
  });

  test.skipIf(!HAS_POSTGRES)(
    `the service takes these settings${HAS_POSTGRES ? '' : ' (skipped: this release has no PostgreSQL)'}`,
    () => {
      const settings = Object.entries(replicas[0]![1].environment!).map(([name, value]) => [
        name,
        value.replace(/\$\{.*?\}/, 'secret1'),
      ]);
      expect(imageConfig(Object.fromEntries(settings)).warnings).toEqual([]);
    },
  );
});

function dependencies({ depends_on: on = [] }: Service): string[] {
  return Array.isArray(on) ? on : Object.keys(on);
}
