import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { finalStage, pairsOf, ROOT, readDockerfile, textsOf } from './dockerfile.ts';

const image = finalStage(readDockerfile());
const values = leaves(readFileSync(join(ROOT, 'compose.yaml'), 'utf8'));
const service = (key: string) => values.get(`services.sequence.${key}`);

describe('compose.yaml', () => {
  test('builds the Dockerfile and keeps its health check', () => {
    expect(service('build')).toEqual(['.']);
    expect([...values.keys()].filter((key) => key.includes('healthcheck'))).toEqual([]);
  });

  test('gives the service no right that it does not need', () => {
    expect(service('read_only')).toEqual(['true']);
    expect(service('cap_drop')).toEqual(['ALL']);
    expect(service('security_opt')).toEqual(['no-new-privileges:true']);
    expect([...values.keys()].filter((key) => /privileged$|cap_add|user$/.test(key))).toEqual([]);
  });

  test('publishes the exposed port on the loopback address', () => {
    const [port] = textsOf(image, 'EXPOSE');
    expect(service('ports')).toEqual([`127.0.0.1:${port}:${port}`]);
  });

  test('lets everybody in, in so many words, because only this machine reaches the port', () => {
    expect(service('environment.AUTH')).toEqual(['none']);
    for (const port of service('ports')!) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('mounts a declared volume where the data is', () => {
    const [volume] = textsOf(image, 'VOLUME');
    expect(service('volumes')).toEqual([`data:${volume}`]);
    expect(values.has('volumes.data')).toBe(true);
  });

  test('waits longer for the end than a stop can take', () => {
    const { stopTimeoutMs } = loadConfig(pairsOf(image, 'ENV')).server;
    const [, seconds] = /^(\d+)s$/.exec(service('stop_grace_period')![0]!)!;
    expect(Number(seconds) * 1000).toBeGreaterThan(stopTimeoutMs + 2_000);
    expect(service('restart')).toEqual(['unless-stopped']);
  });
});

/**
 * The leaves of a YAML file by their path, for the part of YAML that compose.yaml keeps to: mappings and lists of
 * scalars, two spaces a level. A line of any other kind throws.
 */
function leaves(yaml: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let path: string[] = [];
  for (const line of yaml.split('\n')) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const match = /^((?: {2})*)(?:([\w-]+):|-)(?: +(?:"([^"]*)"|([^\s"'#[{&*|>]\S*)))?$/.exec(line);
    if (match === null) throw new Error(`compose.yaml: not a line that this test can read: ${line}`);
    const [, indent, key, quoted, plain] = match;
    const value = quoted ?? plain;
    path = path.slice(0, indent!.length / 2);
    if (key !== undefined) path.push(key);
    const values = found.get(path.join('.')) ?? [];
    found.set(path.join('.'), value === undefined ? values : [...values, value]);
  }
  return found;
}
