import { Presets, SingleBar } from 'cli-progress';
import { printError } from './output.ts';

/** Shows how far a command has come: a bar in a terminal, plain lines elsewhere; on standard error. */
export class Progress {
  readonly #what: string;
  readonly #total: number;
  readonly #bar: SingleBar | undefined;
  #done = 0;
  #toldAt = performance.now();

  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = total;
    if (!process.stderr.isTTY || total === 0) return;
    const format = `${what} {bar} {percentage}% {value}/{total} {eta_formatted}`;
    this.#bar = new SingleBar(
      { format, stream: process.stderr, clearOnComplete: true },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0);
  }

  /** Counts; without a terminal it tells once a second. */
  add(count: number): void {
    this.#done += count;
    this.#bar?.update(this.#done);
    if (this.#bar !== undefined || performance.now() - this.#toldAt < LINE_EVERY_MS) return;
    this.#toldAt = performance.now();
    printError(`${this.#what} ${this.#done} of ${this.#total}`);
  }

  /** Takes the bar away. */
  end(): void {
    this.#bar?.stop();
  }
}

const LINE_EVERY_MS = 1_000;
