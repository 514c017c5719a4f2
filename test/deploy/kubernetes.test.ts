import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { IServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IJob } from 'kubernetes-models/batch/v1/Job';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { ISecret } from 'kubernetes-models/v1/Secret';
import type { IService } from 'kubernetes-models/v1/Service';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { COMMANDS } from '../../src/cli/commands.ts';
import { finalStage, readDockerfile, textsOf } from '../container/dockerfile.ts';
import { startApp } from '../support/app.ts';
import { get } from '../support/caller.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { FOLDER, type Kind, MODELS, readManifests } from './manifests.ts';
import { HAS_POSTGRES, imageConfig, unknownNames } from './settings.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const run = promisify(execFile);

/** Capability: `kubectl` is installed; `kubectl kustomize` needs no cluster. */
const HAS_KUBECTL = spawnSync('kubectl', ['version', '--client']).status === 0;

const manifests = readManifests();
const kustomization = parse(readFileSync(join(FOLDER, 'kustomization.yaml'), 'utf8'));
const named = <T>(kind: Kind, name: string) =>
  manifests.find((manifest) => manifest.kind === kind && manifest.content.metadata.name === name)!
    .content as unknown as T;

const image = finalStage(readDockerfile());
const [uid, gid] = textsOf(image, 'USER')[0]!.split(':').map(Number);
const deployment = named<IDeployment>('Deployment', 'sequence');
const job = manifests.find(({ kind }) => kind === 'Job')!.content as unknown as IJob;
const secret = named<ISecret>('Secret', 'sequence');
const pod = deployment.spec!.template.spec!;
const [container] = pod.containers;
const pods = [pod, job.spec!.template.spec!];

describe('the manifests', () => {
  test.each(manifests)(
    '$file: $kind $content.metadata.name is what Kubernetes takes',
    ({ kind, content }) => {
      const [Model] = MODELS[kind];
      expect(() => new Model(content as never).validate()).not.toThrow();
    },
  );

  test('have no field that their types do not know', async () => {
    const folder = await temporaryFolder();
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const check = async (literals: readonly { kind: Kind; content: unknown }[]) => {
      const lines = literals.map(
        ({ kind, content }, at) => `import type { I${kind} as T${at} } from '${MODELS[kind][1]}';
export const m${at}: T${at} = ${JSON.stringify(content)};`,
      );
      await writeFile(join(folder, 'manifests.ts'), lines.join('\n'));
      const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', ''];
      return await run(join(ROOT, 'node_modules/.bin/tsc'), [...options, 'manifests.ts'], {
        cwd: folder,
      }).then(
        () => '',
        ({ stdout }) => String(stdout),
      );
    };
    expect(await check(manifests)).toBe('');
    const misspelt = JSON.parse(JSON.stringify(deployment).replace('"periodSeconds"', '"periodSecond"'));
    expect(await check([{ kind: 'Deployment', content: misspelt }])).toContain('periodSecond');
  });

  test('the kustomization names each of them but the example of a Secret', () => {
    const files = [...new Set(manifests.map(({ file }) => file))];
    expect(kustomization.resources.toSorted()).toEqual(files.filter((file) => !file.includes('example')));
    expect(kustomization.images).toEqual([
      expect.objectContaining({ name: container!.image, newTag: packageJson.version }),
    ]);
  });

  test.skipIf(!HAS_KUBECTL)(
    `kubectl makes one list of them${HAS_KUBECTL ? '' : ' (skipped: kubectl is not installed)'}`,
    async () => {
      const { stdout } = await run('kubectl', ['kustomize', FOLDER]);
      const built = parseAllDocuments(stdout).map((document) => document.toJS());
      expect(built.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted()).toEqual(
        manifests
          .filter(({ kind }) => kind !== 'Secret')
          .map(({ kind, content }) => `${kind} ${content.metadata.name}`)
          .toSorted(),
      );
      const images = stdout.match(/(?<=image: ).*/g);
      expect(new Set(images)).toEqual(new Set([`${kustomization.images[0].newName}:${packageJson.version}`]));
    },
  );
});

describe('held against the code', () => {
  test('every pod runs as the user of the image, with no right that it does not need', () => {
    for (const { securityContext, containers, automountServiceAccountToken } of pods) {
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: uid,
        runAsGroup: gid,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(automountServiceAccountToken).toBe(false);
      expect(containers).toHaveLength(1);
      expect(containers[0]!.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(containers[0]!.resources).toMatchObject({
        requests: { cpu: expect.any(String), memory: expect.any(String) },
        limits: { memory: expect.any(String) },
      });
    }
  });

  test('the Job runs a command of this release, and says so in its name', () => {
    const [migrate] = job.spec!.template.spec!.containers;
    expect(COMMANDS.map(({ name }) => [name])).toContainEqual(migrate!.args);
    expect(job.metadata!.name).toBe(`sequence-migrate-${packageJson.version.replaceAll('.', '-')}`);
  });

  test('ports and selectors meet', () => {
    const labels = deployment.spec!.template.metadata!.labels;
    const [port] = container!.ports!;
    expect(String(port!.containerPort)).toBe(textsOf(image, 'EXPOSE')[0]);
    const services = ['sequence', 'sequence-replicas'].map((name) => named<IService>('Service', name));
    for (const { spec } of services) {
      expect(spec!.selector).toEqual(labels);
      expect(spec!.ports).toEqual([
        {
          name: port!.name,
          port: port!.containerPort,
          targetPort: port!.name,
          appProtocol: 'kubernetes.io/h2c',
        },
      ]);
    }
    const budget = named<IPodDisruptionBudget>('PodDisruptionBudget', 'sequence');
    for (const { selector } of [deployment.spec!, budget.spec!])
      expect(selector).toEqual({ matchLabels: labels });

    const monitor = named<IServiceMonitor>('ServiceMonitor', 'sequence').spec;
    const scraped = services.filter(({ metadata }) =>
      Object.entries(monitor.selector.matchLabels!).every(
        ([key, value]) => metadata!.labels?.[key] === value,
      ),
    );
    // One of them: else each replica would be counted twice.
    expect(scraped).toEqual([services[0]]);
    expect(monitor.endpoints).toMatchObject([{ port: port!.name, path: '/metrics' }]);
  });

  test('what is probed and scraped is answered', async () => {
    const { port } = await startApp();
    const { livenessProbe, readinessProbe, startupProbe } = container!;
    const probes = [livenessProbe, readinessProbe, startupProbe].map((probe) => probe!.httpGet!);
    for (const { path, port: name } of [...probes, { path: '/metrics', port: 'http' }]) {
      expect(name).toBe(container!.ports![0]!.name);
      expect((await get(port, path!)).status).toBe(200);
    }
    expect(probes.map(({ path }) => path)).toEqual(['/livez', '/readyz', '/livez']);
  });

  test('every variable is one of the service, and every key is in the Secret', () => {
    const variables = pods.flatMap(({ containers }) => containers[0]!.env!);
    expect(unknownNames(variables.map(({ name }) => name))).toEqual([]);
    const { items } = pod.volumes![0]!.secret!;
    const monitor = named<IServiceMonitor>('ServiceMonitor', 'sequence').spec.endpoints[0]!;
    const wanted = [
      ...variables.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []),
      ...items!.map(({ key }) => ({ name: pod.volumes![0]!.secret!.secretName, key })),
      monitor.authorization!.credentials!,
    ];
    expect(new Set(wanted.map(({ name }) => name))).toEqual(new Set([secret.metadata!.name]));
    expect(new Set(wanted.map(({ key }) => key))).toEqual(new Set(Object.keys(secret.stringData!)));
    // A secret has no place in a manifest that is committed.
    for (const { name, value } of variables)
      if (/URL|KEY|TOKEN$|SECRET/.test(name) && value !== undefined) expect(value).not.toMatch(/:.*@/);
  });

  test('a stop is over before the pod is killed, and as slow as its probe', () => {
    const { DRAIN_DELAY, STOP_TIMEOUT } = plainSettings();
    const { drainDelayMs, stopTimeoutMs } = imageConfig({ DRAIN_DELAY, STOP_TIMEOUT }).server;
    const { periodSeconds, failureThreshold, timeoutSeconds } = container!.readinessProbe!;
    expect(drainDelayMs).toBeGreaterThanOrEqual(
      (periodSeconds! * failureThreshold! + timeoutSeconds!) * 1000,
    );
    expect(stopTimeoutMs - drainDelayMs).toBeGreaterThanOrEqual(3_000);
    expect(pod.terminationGracePeriodSeconds! * 1000).toBeGreaterThan(stopTimeoutMs + 2_000);
    expect(container!.lifecycle).toBeUndefined();
  });

  test.skipIf(!HAS_POSTGRES)(
    `the service takes these settings${HAS_POSTGRES ? '' : ' (skipped: this release has no PostgreSQL)'}`,
    async () => {
      const tokens = join(await temporaryFolder(), 'tokens');
      await writeFile(tokens, secret.stringData!['tokens']!);
      const config = imageConfig({
        ...plainSettings(),
        API_TOKENS_FILE: tokens,
        DATABASE_URL: secret.stringData!['database-url']!,
        TYPESENSE_API_KEY: secret.stringData!['typesense-api-key']!,
      });
      expect(config.warnings).toEqual([]);
    },
  );
});

/** The settings of the Deployment that are in no Secret. */
function plainSettings(): Record<string, string> {
  const plain = container!.env!.filter(({ value }) => value !== undefined);
  return Object.fromEntries(plain.map(({ name, value }) => [name, value!]));
}
