/*
 * Loading the program takes a while, and to process 1 of a container a signal that nobody has asked for is lost. So
 * this is asked first, before anything else is loaded.
 */

/** Until {@link leaveSignals}, SIGTERM and SIGINT end the process at once: nothing has begun. */
export function endOnSignals(): void {
  process.on('SIGTERM', end).on('SIGINT', end);
}

/** Leaves the signals to whoever has asked for them since, or to the system. */
export function leaveSignals(): void {
  process.off('SIGTERM', end).off('SIGINT', end);
}

function end(): void {
  process.exit(0);
}
