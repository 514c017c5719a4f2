import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, onTestFinished } from 'vitest';
import { type Service, startService } from '../support/service.ts';
import { temporaryFolder } from '../support/temporary.ts';

const SOURCE = new URL('./faults.c', import.meta.url).pathname;
const SECTOR = 512;

/** A service whose machine fails as it is told to. */
export interface FaultyService extends Service {
  /** From now on every write and sync of the database fails so; undefined: they work. */
  failWrites(code: 'EROFS' | 'EIO' | 'ENOSPC' | undefined): void;
  /** Sets its clock this much off the real one. */
  setClock(offsetSeconds: number): void;
  /** What a power cut now would leave: `kill -9` first. @param random from 0 up to 1 */
  powerCut(random: () => number): Promise<string>;
}

/** Compiles the library once for a test file; returns what starts services under it. */
export function preload(): (env?: Readonly<Record<string, string>>, file?: string) => Promise<FaultyService> {
  let library = '';
  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'sequence-'));
    library = join(folder, 'faults.so');
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl', '-lpthread']);
    return () => rmSync(folder, { recursive: true });
  });
  return (env, file) => start(library, env, file);
}

async function start(
  library: string,
  env: Readonly<Record<string, string>> = {},
  given?: string,
): Promise<FaultyService> {
  const root = await temporaryFolder();
  const [folder, durable, control] = [join(root, 'data'), join(root, 'durable'), join(root, 'control')];
  await mkdir(folder);
  await mkdir(durable);
  await writeFile(control, Buffer.alloc(16));
  const file = join(folder, 'sequence.db');
  if (given !== undefined)
    // What is there at the start is on the disk.
    for (const suffix of ['', '-wal'])
      for (const to of [folder, durable])
        await copyFile(`${given}${suffix}`, join(to, `sequence.db${suffix}`)).catch(unlessMissing);
  const fd = openSync(control, 'r+');
  onTestFinished(() => closeSync(fd));
  const tell = (offset: number, value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(fd, bytes, 0, 8, offset);
  };
  const service = await startService({
    env: {
      LD_PRELOAD: library,
      FAULTS_FOLDER: folder,
      FAULTS_DURABLE: durable,
      FAULTS_CONTROL: control,
      DATABASE_URL: `sqlite:///${file}`,
      ...env,
    },
  });
  return {
    ...service,
    failWrites: (code) => tell(0, code === undefined ? 0 : constants.errno[code]),
    setClock: (offsetSeconds) => tell(8, offsetSeconds),
    powerCut: (random) => survivors(folder, durable, random),
  };
}

/**
 * The files as a disk may hold them after a power cut: what was synced is there; of each sector that was written
 * since, the new bytes, the old ones, or rubbish in their place; of what was added to a file, some. Bytes of the same
 * sector that were not written stay: SQLite takes that for granted ("powersafe overwrite", https://sqlite.org/psow.html),
 * or it would begin each transaction's part of the log in a sector of its own.
 */
async function survivors(folder: string, durable: string, random: () => number): Promise<string> {
  const target = await temporaryFolder();
  for (const name of await readdir(durable)) {
    const synced = await readFile(join(durable, name));
    const written = await readFile(join(folder, name)).catch(() => Buffer.alloc(0));
    const [short, long] = [synced.length, written.length].toSorted((a, b) => a - b) as [number, number];
    const left = Buffer.alloc(short + Math.floor((random() * (long - short + SECTOR)) / SECTOR) * SECTOR);
    synced.copy(left);
    for (let at = 0; at < left.length; at += SECTOR) {
      const now = written.subarray(at, at + SECTOR);
      if (now.equals(synced.subarray(at, at + SECTOR))) continue;
      const fate = random();
      if (fate < 0.45) now.copy(left, at);
      else if (fate < 0.6)
        for (let byte = at; byte < Math.min(left.length, at + SECTOR); byte++)
          if (written[byte] !== synced[byte]) left[byte] = random() * 256;
    }
    const out = await open(join(target, name), 'w');
    await out.writeFile(left);
    await out.close();
  }
  return join(target, 'sequence.db');
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
