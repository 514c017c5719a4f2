import { spawnSync } from 'node:child_process';

const CLI = new URL('../src/cli.ts', import.meta.url).pathname;

/** What this build can do, as far as the bench asks. */
export interface Capabilities {
  readonly postgres: boolean;
  /** Whether a variable is known. */
  variable(name: string): boolean;
}

/** Asks the build itself, through `cli config`. */
export function askCapabilities(): Capabilities {
  const names = new Set(
    config({})
      .output.split('\n')
      .map((line) => line.split('=', 1)[0]!),
  );
  return {
    postgres: config({ DATABASE_URL: 'postgres://user:password@127.0.0.1:5432/database' }).ok,
    variable: (name) => names.has(name),
  };
}

/** Why a row that needs this cannot be measured. */
export function absent(what: string): string {
  return `not in this build: ${what}`;
}

function config(env: Readonly<Record<string, string>>): { ok: boolean; output: string } {
  const { status, stdout } = spawnSync(process.execPath, [CLI, 'config'], {
    encoding: 'utf8',
    timeout: 30_000,
    cwd: new URL('.', import.meta.url).pathname,
    env: { PATH: process.env['PATH'], ...env },
  });
  return { ok: status === 0, output: stdout };
}
