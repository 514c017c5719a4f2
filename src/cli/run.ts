import { parseArgs } from 'node:util';
import { quote } from '../config/mask.ts';
import { ConfigError } from '../config.ts';
import { DatabaseStartError } from '../db/errors.ts';
import { RELEASE } from '../util/release.ts';
import { type Command, CommandError, type Options } from './command.ts';
import { COMMANDS } from './commands.ts';
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
    const options = parse(args, { version: { type: 'boolean', summary: '' } }, 'cli');
    if (options['help']) return showHelp([]);
    if (options['version']) return show(RELEASE);
    return await commandNamed('serve').run({});
  }
  const command = commandNamed(first);
  const options = parse(args.slice(1), command.options, `cli ${command.name}`);
  return options['help'] ? showHelp([command.name]) : await command.run(options);
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

function parse(args: readonly string[], known: Command['options'], usage: string): Options {
  try {
    const help = { type: 'boolean', short: 'h' } as const;
    return parseArgs({ args: [...args], options: { ...known, help }, allowPositionals: false }).values;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!(error instanceof Error) || !code.startsWith('ERR_PARSE_ARGS_')) throw error;
    const names = [...Object.keys(known), 'help'].map((name) => `--${name}`).join(', ');
    // What follows the first sentence is advice on quoting; what was typed may hold anything.
    const fault = error.message.split(/\. [A-Z]|\.?\n/, 1)[0]?.replace(/\p{Cc}/gu, '?');
    throw new CommandError(`${fault}; "${usage}" takes ${names}`, WRONG_USAGE);
  }
}
