const guarded = new Set<NodeJS.WriteStream>();

/** Writes a line to standard output. */
export function print(line: string): void {
  write(process.stdout, line);
}

/** Writes a line to standard error. */
export function printError(line: string): void {
  write(process.stderr, line);
}

// The streams are looked at only when there is something to write: `serve` leaves standard output to its log.
function write(stream: NodeJS.WriteStream, line: string): void {
  if (!guarded.has(stream)) {
    guarded.add(stream);
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that has seen enough (`| head`) is no failure of ours.
      if (error.code === 'EPIPE') return;
      process.exitCode = 1;
      if (stream === process.stdout) printError(`the output could not be written: ${error.message}`);
    });
  }
  stream.write(`${line}\n`);
}
