import type { Command } from './command.ts';

/** The help on all commands, or on one. */
export function help(commands: readonly Command[], command?: Command): string {
  return (command === undefined ? overall(commands) : single(command)).join('\n');
}

function overall(commands: readonly Command[]): string[] {
  return [
    'Usage: cli [command] [options]',
    '',
    'Commands:',
    ...table([
      ...commands.map(({ name, summary }) => [name, summary] as const),
      ['help [command]', 'prints this, or the help on a command'],
    ]),
    '',
    'Options:',
    ...table([
      ['-h, --help', 'prints help'],
      ['--version', 'prints the version'],
    ]),
    '',
    'Configured by environment variables and .env; .env.example describes them. Wrong usage: exit code 2.',
  ];
}

function single({ name, summary, details, options }: Command): string[] {
  const own = Object.entries(options).map(
    ([option, { type, summary: text }]) => [`--${option}${type === 'string' ? ' VALUE' : ''}`, text] as const,
  );
  return [
    `Usage: cli ${name}${own.length > 0 ? ' [options]' : ''}`,
    '',
    `${name} ${summary}.`,
    ...details,
    '',
    'Options:',
    ...table([...own, ['-h, --help', 'prints this']]),
  ];
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
