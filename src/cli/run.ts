import { parseArgs } from 'node:util';
import { quote } from '../config/mask.ts';
import { ConfigError } from '../config.ts';
import { DatabaseStartError } from '../db/errors.ts';
import { RELEASE } from '../util/release.ts';
import { type Command, CommandError, type Options } from './command.ts';
import { COMMANDS } from './commands.ts';
import { leaveSignals } from './early-signals.ts';
import { help } from './help.ts';
import { print, printError } from './output.ts';

const WRONG_USAGE = 2;

/**
 * Runs what the arguments ask for and sets the exit code. It never rejects: what is expected to fail is told in
 * words, anything else with its stack.
 */
export async function run(args: readonly string[]): Promise<void> {
  let exitCode: number;
  try {
    exitCode = await dispatch(args);
  } catch (error) {
    const expected =
      error instanceof CommandError || error instanceof ConfigError || error instanceof DatabaseStartError;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    printError(expected ? error.message : text);
    exitCode = error instanceof CommandError ? error.exitCode : 1;
  }
  // A failure that was noted meanwhile stands.
  if (exitCode !== 0) process.exitCode = exitCode;
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [first] = args;
  if (first === 'help') return showHelp(args.slice(1));
  if (first === undefined || first.startsWith('-')) {
    const { options } = parse(args, 'cli', { version: { type: 'boolean', summary: '' } });
    if (options['help']) return showHelp([]);
    if (options['version']) return show(RELEASE);
    return await commandNamed('serve').run({}, []);
  }
  const command = commandNamed(first);
  // `serve` takes the signals over when it can stop in order.
  if (command.name !== 'serve') leaveSignals();
  const usage = `cli ${command.name}`;
  const { options, operands } = parse(args.slice(1), usage, command.options, command.operands);
  if (options['help']) return showHelp([command.name]);
  const missing = command.operands?.slice(operands.length).find(({ optional }) => optional !== true);
  if (missing !== undefined) throw new CommandError(`"${usage}" needs ${missing.name}`, WRONG_USAGE);
  return await command.run(options, operands);
}

function showHelp(args: readonly string[]): number {
  const [name, ...more] = args.filter((arg) => arg !== '-h' && arg !== '--help');
  if (more.length > 0) throw new CommandError('help takes the name of one command', WRONG_USAGE);
  return show(help(COMMANDS, name === undefined ? undefined : commandNamed(name)));
}

function show(text: string): number {
  print(text);
  return 0;
}

function commandNamed(name: string): Command {
  const command = COMMANDS.find((one) => one.name === name);
  if (command !== undefined) return command;
  const names = [...COMMANDS.map((one) => one.name), 'help'].join(', ');
  throw new CommandError(`${quote(name)} is not a command; there are ${names}`, WRONG_USAGE);
}

function parse(
  args: readonly string[],
  usage: string,
  known: Command['options'],
  operands: NonNullable<Command['operands']> = [],
): { options: Options; operands: readonly string[] } {
  try {
    const help = { type: 'boolean', short: 'h' } as const;
    const options = { ...known, help };
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: operands.length > 0,
    });
    const extra = positionals[operands.length];
    if (extra === undefined) return { options: values, operands: positionals };
    throw new CommandError(
      `Unexpected argument ${quote(extra)}; "${usage}" takes ${list(operands)}`,
      WRONG_USAGE,
    );
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!(error instanceof Error) || !code.startsWith('ERR_PARSE_ARGS_')) throw error;
    const names = [...Object.keys(known), 'help'].map((name) => `--${name}`).join(', ');
    // What follows the first sentence is advice on quoting; what was typed may hold anything.
    const fault = error.message.split(/\. [A-Z]|\.?\n/, 1)[0]?.replace(/\p{Cc}/gu, '?');
    throw new CommandError(`${fault}; "${usage}" takes ${names}`, WRONG_USAGE);
  }
}

function list(operands: NonNullable<Command['operands']>): string {
  return operands.map(({ name }) => name).join(' ');
}
