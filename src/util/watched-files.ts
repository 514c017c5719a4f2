import { readFile, stat } from 'node:fs/promises';

/** What is read from files, and again when they change. */
export interface WatchOptions<T> {
  readonly paths: readonly string[];
  /** Makes the value of what the files hold, in their order; throws where that cannot be used. */
  readonly parse: (texts: readonly string[]) => T;
  /** A new value is in use. */
  readonly onChange?: (value: T) => void;
  /** What the files hold now cannot be read or used, and the value before it stays. Told once for each such state. */
  readonly onFault: (error: unknown) => void;
  /** Between two looks, milliseconds. */
  readonly intervalMs?: number;
}

const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Files that are looked at again and again rather than watched, which does not work for every file system and misses
 * what a link points to. What has changed is read once it has stayed the same between two looks, so that two files that
 * belong together are not read between their writes.
 */
export class WatchedFiles<T> {
  readonly #options: WatchOptions<T>;
  #value: T;
  /** The state that was read last, and the one that was seen last. */
  #read: string;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: WatchOptions<T>, value: T, state: string) {
    this.#options = options;
    this.#value = value;
    this.#read = state;
    this.#seen = state;
    this.#wait();
  }

  /** Reads the files for the first time. Rejects where that cannot be done. */
  static async open<T>(options: WatchOptions<T>): Promise<WatchedFiles<T>> {
    const state = await stateOf(options.paths);
    return new WatchedFiles(options, options.parse(await read(options.paths)), state);
  }

  /** The last good one. */
  get value(): T {
    return this.#value;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#look().finally(() => {
        if (this.#timer !== undefined) this.#wait();
      });
    }, this.#options.intervalMs ?? 500).unref();
  }

  async #look(): Promise<void> {
    const state = await stateOf(this.#options.paths);
    const settled = state === this.#seen;
    this.#seen = state;
    if (!settled || state === this.#read) return;
    this.#read = state;
    try {
      const value = this.#options.parse(await read(this.#options.paths));
      if (this.#timer === undefined) return;
      this.#value = value;
      this.#options.onChange?.(value);
    } catch (error) {
      if (this.#timer !== undefined) this.#options.onFault(error);
    }
  }
}

/** Tells two states of files apart; a file that is not there has one too. Never rejects. */
async function stateOf(paths: readonly string[]): Promise<string> {
  const states = paths.map(async (path) => {
    try {
      const { ino, dev, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      return [dev, ino, size, mtimeNs, ctimeNs].join();
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  });
  return (await Promise.all(states)).join(' ');
}

async function read(paths: readonly string[]): Promise<string[]> {
  return await Promise.all(
    paths.map(async (path) => {
      const { size } = await stat(path);
      if (size > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES} bytes`);
      return await readFile(path, 'utf8');
    }),
  );
}
