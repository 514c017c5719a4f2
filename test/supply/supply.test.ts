import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

interface Package {
  license?: string;
  integrity?: string;
  hasInstallScript?: boolean;
}
interface Project {
  manifest: { allowScripts: Record<string, boolean> };
  lock: { packages: Record<string, Package> };
}

/** Runs the check on this project as a change would have made it; no registry can be asked there. */
async function checked(change: (project: Project) => void) {
  const folder = await temporaryFolder();
  const read = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
  const project: Project = { manifest: read('package.json'), lock: read('package-lock.json') };
  change(project);
  await writeFile(join(folder, 'package.json'), JSON.stringify(project.manifest));
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(project.lock));
  const env = { ...process.env, npm_config_registry: 'http://127.0.0.1:9' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, '.ci/supply.ts'), folder], {
    env,
    encoding: 'utf8',
  });
  return { status, stdout, faults: stderr.split('\n').filter((line) => line.startsWith('FAULT')) };
}

test('what the service is built from is in order; an audit that cannot be had is said to be missing', async () => {
  const { status, stdout, faults } = await checked(() => {});
  expect({ status, faults }).toEqual({ status: 0, faults: [] });
  expect(stdout).toContain('audit: NOT RUN');
  expect(stdout).toMatch(/sbom: \d{2,} packages/);
});

test.each([
  [
    'a licence that asks for more',
    'licence GPL-3.0',
    ({ lock }) => (lock.packages['node_modules/pg']!.license = 'GPL-3.0'),
  ],
  ['no licence', 'licence not named', ({ lock }) => delete lock.packages['node_modules/pg']!.license],
  [
    'one of two licences that both hold',
    'licence (MIT AND SSPL-1.0)',
    ({ lock }) => (lock.packages['node_modules/pg']!.license = '(MIT AND SSPL-1.0)'),
  ],
  [
    'a new install script',
    'nobody has decided about',
    ({ lock }) => (lock.packages['node_modules/pg']!.hasInstallScript = true),
  ],
  ['an allowed script', 'should not', ({ manifest }) => (manifest.allowScripts['protobufjs'] = true)],
  [
    'an entry without a script',
    'has no install script',
    ({ manifest }) => (manifest.allowScripts['left'] = false),
  ],
  [
    'a package without a hash',
    'not pinned',
    ({ lock }) => delete lock.packages['node_modules/pg']!.integrity,
  ],
] as const satisfies [string, string, (project: Project) => unknown][])(
  '%s is a fault',
  async (_, fault, change) => {
    const { status, faults } = await checked((project) => void change(project));
    expect({ status, faults }).toEqual({ status: 1, faults: [expect.stringContaining(fault)] });
  },
);
