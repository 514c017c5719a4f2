import { mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { driverCode } from './errors.ts';

/** The file behind links: whoever opens the same database takes the same lock, by whatever name. */
export async function realFile(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if (driverCode(error) !== 'ENOENT') throw error;
    return join(await realpath(dirname(file)), basename(file));
  }
}

/** Makes a folder and those above it. */
// Not `recursive: true`, which never ends where a parent is there and yet cannot have children (/proc, a link to nowhere).
export async function makeFolder(folder: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (error) {
    if (driverCode(error) !== 'ENOENT') throw error;
    if (folder !== dirname(folder)) await makeFolder(dirname(folder));
  }
  await mkdir(folder).catch(async (error) => {
    // Another process may have made it meanwhile.
    if (driverCode(error) !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error;
  });
}
