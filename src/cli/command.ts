/** An option of a command, as `node:util`'s parseArgs knows it. */
export interface Option {
  readonly type: 'boolean' | 'string';
  /** The letter that stands for it. */
  readonly short?: string;
  /** What its value is, in the help; VALUE when left out. */
  readonly value?: string;
  readonly summary: string;
}

/** What a command takes beside options. */
export interface Operand {
  /** As the help shows it. */
  readonly name: string;
  readonly optional?: boolean;
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
  /** The optional ones last; none when left out. */
  readonly operands?: readonly Operand[];
  /**
   * Returns the exit code.
   *
   * @throws CommandError, ConfigError or DatabaseStartError, whose message is all that a person needs
   */
  run(options: Options, operands: readonly string[]): Promise<number>;
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
