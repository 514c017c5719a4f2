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

function single({ name, summary, details, options, operands = [] }: Command): string[] {
  const own = Object.entries(options).map(([option, { type, short, value = 'VALUE', summary: text }]) => {
    const names = `${short === undefined ? '' : `-${short}, `}--${option}`;
    return [type === 'string' ? `${names} ${value}` : names, text] as const;
  });
  const taken = operands.map(
    (operand) => ` ${operand.optional === true ? `[${operand.name}]` : operand.name}`,
  );
  return [
    `Usage: cli ${name}${taken.join('')}${own.length > 0 ? ' [options]' : ''}`,
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
