import { open } from 'node:fs';

/** Loaded into a service with `--import`: faults that are brought about by signals that the service does not use. */

process.on('SIGUSR2', () => {
  throw new Error('thrown from outside');
});

process.on('SIGWINCH', () => {
  void Promise.reject(new Error('rejected from outside'));
});

process.on('SIGHUP', () => {
  setInterval(() => {}, 1_000);
});

// Opening a pipe that nobody writes to takes a thread of the pool, until somebody does.
process.on('SIGIO', () => {
  open(String(process.env['FIFO']), 'r', () => {});
});
