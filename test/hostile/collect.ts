/** Loaded into a service with `--import`: SIGUSR2 collects garbage, so that what its heap holds can be compared. */
process.on('SIGUSR2', () => globalThis.gc?.());
