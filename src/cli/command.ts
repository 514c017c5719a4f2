/** An option of a command, as `node:util`'s parseArgs knows it. */
export interface Option {
  readonly type: 'boolean' | 'string';
  readonly summary: string;
}

/** The options that were given, by name. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** One of the things that the program does. */
export interface Command {
  readonly name: string;
  /** What it does, as one line of the list of commands. */
  readonly summary: string;
  /** What else its own help says, a line each. */
  readonly details: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  /**
   * Returns the exit code.
   *
   * @throws CommandError, ConfigError or DatabaseStartError, whose message is all that a person needs
   */
  run(options: Options): Promise<number>;
}

/** A command cannot do what it should; the message tells a person why. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
