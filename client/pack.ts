import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

// Packs the client into a tarball, in the folder given or this one: what package.json exports, with the dependencies of
// the client alone. `npm pack` would ask its users to install those of the service too.

const ROOT = new URL('..', import.meta.url).pathname;
/** What the client imports; the rest of package.json's dependencies is the service's. */
const NEEDED = ['@bufbuild/protobuf', '@connectrpc/connect', '@connectrpc/connect-node'] as const;
/** The oldest Node that these run on. */
const ENGINES = { node: '>=22' };
const ALWAYS = ['LICENSE', 'README.md'];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly type: string;
  readonly exports: object;
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
}

const destination = resolve(process.argv[2] ?? '.');
const npm = (cwd: string, ...args: string[]) =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

const { name, version, description, license, type, exports, files, dependencies } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
) as Manifest;
const manifest = {
  ...{ name, version, description, license, private: true, type, engines: ENGINES, exports, files },
  dependencies: Object.fromEntries(NEEDED.map((needed) => [needed, dependencies[needed]])),
};

const folder = mkdtempSync(join(tmpdir(), 'sequence-client-pack-'));
try {
  npm(ROOT, 'run', '--silent', 'build:client');
  for (const path of [...files, ...ALWAYS]) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  process.stdout.write(npm(folder, 'pack', '--silent', '--pack-destination', destination));
} finally {
  rmSync(folder, { recursive: true });
}
