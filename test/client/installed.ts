import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = new URL('../..', import.meta.url).pathname;
const NAME = '@fountain/sequence-service';

/** A folder in which somebody has installed the packed tarball. */
export interface Installation {
  readonly folder: string;
  /** The files of the tarball. */
  readonly files: readonly string[];
  /** Runs plain JavaScript in the folder; answers what it printed. */
  run(program: string, ...args: string[]): Promise<string>;
  /** Type-checks TypeScript in the folder; answers what the compiler said. */
  check(program: string): Promise<string>;
  remove(): Promise<void>;
}

/**
 * Packs the tarball and puts it into an empty folder as npm would, with the dependencies that it names and nothing
 * else. It is unpacked instead of installed, which needs a network; `npm run test:long` does install it.
 */
export async function installPackage(): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), 'sequence-client-'));
  const tarball = await pack(folder);
  const target = join(folder, 'node_modules', NAME);
  await mkdir(target, { recursive: true });
  await run('tar', ['-xzf', tarball.path, '-C', target, '--strip-components=1']);
  const { dependencies } = JSON.parse(await readFile(join(target, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies))
    await cp(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true });
  return installation(folder, tarball.files);
}

/** Packs the tarball and installs it with npm, in an empty folder; no install script runs. */
export async function installPackageWithNpm(): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), 'sequence-client-'));
  const tarball = await pack(folder);
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...flags, tarball.path], { cwd: folder });
  return installation(folder, tarball.files);
}

async function pack(folder: string): Promise<{ path: string; files: string[] }> {
  const packed = await run('npm', ['run', '--silent', 'pack:client', '--', folder], { cwd: ROOT });
  const path = join(folder, packed.stdout.trim());
  const { stdout } = await run('tar', ['-tzf', path]);
  const files = stdout.split('\n').filter((file) => file !== '' && !file.endsWith('/'));
  return { path, files: files.map((file) => file.replace(/^package\//, '')).toSorted() };
}

function installation(folder: string, files: readonly string[]): Installation {
  return {
    folder,
    files,
    async run(program, ...args) {
      await writeFile(join(folder, 'program.mjs'), program);
      const { stdout } = await run(process.execPath, ['program.mjs', ...args], {
        cwd: folder,
        timeout: 20_000,
      });
      return stdout.trim();
    },
    async check(program) {
      await writeFile(join(folder, 'program.mts'), program);
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      const flags = [
        '--noEmit',
        '--strict',
        '--module',
        'nodenext',
        '--target',
        'es2022',
        '--lib',
        'es2024,dom',
      ];
      // The service's own types are checked, those of its dependencies (which need Node's) are not.
      flags.push('--skipLibCheck', '--types', '');
      return await run(process.execPath, [tsc, ...flags, 'program.mts'], { cwd: folder }).then(
        ({ stdout }) => stdout,
        (error: { stdout: string }) => error.stdout,
      );
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
