import { execFileSync } from 'node:child_process';

/** What the machine that the tests run on allows; a test that skips names what it lacks. */
export const MACHINE = {
  /** Whether file systems may be mounted. Tried in a mount namespace of its own, which goes with the process. */
  mounts: process.getuid?.() === 0 && works('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']),
  /** Whether an ext4 file system can be made in a file and mounted. */
  loops: process.getuid?.() === 0 && works('losetup', ['--find']) && works('mkfs.ext4', ['-V']),
  /** Whether a library of ours can stand between a process and its system: Linux, and a C compiler. */
  preloads: process.platform === 'linux' && works('cc', ['--version']),
  /** Whether a running process can be given fewer descriptors. */
  limits: process.platform === 'linux' && works('prlimit', ['--pid', String(process.pid), '--nofile']),
  /** Whether the open files of a process can be read by their number. */
  proc: process.platform === 'linux',
} as const;

function works(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
