import { readFileSync } from 'node:fs';

/** The memory of a process that is in RAM, in millions of bytes. */
export function residentMB(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return (Number(kib) * 1024) / 1e6;
}
