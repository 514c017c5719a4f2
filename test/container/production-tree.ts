import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './dockerfile.ts';

const run = promisify(execFile);

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
}

/**
 * Puts into a folder what the image has in /app, and the running Node beside it; nothing in it is writable then.
 * The packages are copied, not linked: a link would find the development dependencies beside its target.
 * @returns the path of Node
 */
export async function makeProductionTree(folder: string): Promise<string> {
  const app = join(folder, 'app');
  await mkdir(app, { recursive: true });
  for (const path of ['package.json', 'LICENSE', 'src', 'gen'])
    await cp(join(ROOT, path), join(app, path), { recursive: true });
  await copyProductionPackages(app);
  const node = join(folder, 'node');
  await copyFile(process.execPath, node);
  await chmod(folder, 0o755);
  await run('chmod', ['-R', 'a+rX,a-w', app, node]);
  return node;
}

/** Makes a tree removable again. */
export async function makeWritable(folder: string): Promise<void> {
  await run('chmod', ['-R', 'u+w', folder]);
}

/** As `npm ci --omit=dev` would, from the packages that are installed here. */
async function copyProductionPackages(app: string): Promise<void> {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  const wanted = Object.entries(packages).filter(([path, { dev, optional }]) => {
    if (path === '' || dev) return false;
    // Some are for another platform.
    return !optional || existsSync(join(ROOT, path));
  });
  for (const [path] of wanted) {
    const target = join(app, path);
    await mkdir(dirname(target), { recursive: true });
    await cp(join(ROOT, path), target, {
      recursive: true,
      filter: (source) => isNeeded(join(ROOT, path), source),
    });
  }
}

/** Not what a package has beneath it, which the lock lists by itself, and not what sqlite3 was compiled from. */
function isNeeded(packageFolder: string, source: string): boolean {
  if (source === packageFolder) return true;
  if (basename(source) === 'node_modules') return false;
  return !/\/sqlite3\/(deps|src|build\/Release\/obj.*)$/.test(source);
}
