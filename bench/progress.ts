const TTY = process.stderr.isTTY;

/** One line on standard error that says what runs; where that is no terminal, only what begins. */
export class Progress {
  #scenario = '';

  scenario(name: string, index: number, of: number): void {
    this.#scenario = `[${index}/${of}] ${name}`;
    if (TTY) this.step('');
    else process.stderr.write(`${this.#scenario}\n`);
  }

  step(text: string): void {
    if (TTY)
      process.stderr.write(`\r\x1b[K${`${this.#scenario}  ${text}`.slice(0, process.stderr.columns - 1)}`);
  }

  clear(): void {
    if (TTY) process.stderr.write('\r\x1b[K');
  }
}
