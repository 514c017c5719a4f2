import { type BigIntStats, statSync } from 'node:fs';

/** How large the files of a database are at least, as SQLite knows it; bytes. */
export interface LeastSizes {
  readonly database: number;
  readonly log: number;
}

/** How large the files are; bytes. */
export interface FileSizes {
  readonly database: number;
  readonly log: number;
}

/**
 * Tells whether the files that bear a SQLite database's name are the ones that were opened. A file that was deleted
 * or replaced takes commits as before, and nobody will ever see them again: so the writer looks before it begins,
 * and again between a commit and its answers. docs/adr/0011 has what that promises and what it costs.
 *
 * The files are looked at by name and never opened: closing a second descriptor of a database would drop the locks
 * that SQLite holds on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
 */
export class FileGuard {
  readonly #database: GuardedFile;
  readonly #log: GuardedFile;
  /** Under another file of this name a second service would start to write. */
  readonly #lock: GuardedFile;

  /** @param file a database in WAL mode that has been opened, and its write lock taken */
  constructor(file: string) {
    this.#database = new GuardedFile(file);
    this.#log = new GuardedFile(`${file}-wal`);
    this.#lock = new GuardedFile(`${file}.lock`);
  }

  /** What is wrong, in words for an operator; undefined where nothing is. */
  fault(): string | undefined {
    return this.#database.fault() ?? this.#log.fault() ?? this.#lock.fault();
  }

  /**
   * Whether a file has become smaller. SQLite itself does that to its log, and a VACUUM from outside to the
   * database: {@link judge} tells.
   */
  get shrunk(): boolean {
    return this.#database.shrunk || this.#log.shrunk;
  }

  /** Compares with what SQLite needs; a file that lacks some of it stays at fault until the database is opened anew. */
  judge(least: LeastSizes): void {
    this.#database.judge(least.database);
    this.#log.judge(least.log);
  }

  /** As of the last look. */
  get sizes(): FileSizes {
    return { database: this.#database.size, log: this.#log.size };
  }
}

class GuardedFile {
  readonly #path: string;
  #opened: BigIntStats | undefined;
  #size = 0;
  #now = 0;
  #truncated = false;

  constructor(path: string) {
    this.#path = path;
    this.#opened = lookAt(path);
    this.#size = this.#now = Number(this.#opened?.size ?? 0);
  }

  get size(): number {
    return this.#now;
  }

  get shrunk(): boolean {
    return this.#now < this.#size;
  }

  fault(): string | undefined {
    const found = lookAt(this.#path);
    // SQLite makes the log when it first needs it.
    this.#opened ??= found;
    if (this.#opened === undefined) return undefined;
    if (found === undefined) return `${this.#path} is gone, and what is written now would be in vain`;
    if (found.ino !== this.#opened.ino || found.dev !== this.#opened.dev)
      return `${this.#path} is another file than the one that was opened, and what is written now would be in vain`;
    this.#now = Number(found.size);
    this.#size = Math.max(this.#size, this.#now);
    return this.#truncated ? `${this.#path} was truncated; some of what was committed is lost` : undefined;
  }

  judge(least: number): void {
    if (!this.shrunk) return;
    this.#truncated ||= this.#now < least;
    this.#size = this.#now;
  }
}

function lookAt(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    // A folder on the way is gone or closed to us, which makes the file as unreachable as if it were gone.
    return undefined;
  }
}
