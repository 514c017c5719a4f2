import type { Command } from './command.ts';

/** Every command, in the order of the help. What a command needs is loaded when it runs, so that the others start fast. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'serve',
    summary: 'serves until SIGTERM or SIGINT (the default)',
    details: [
      'The first signal stops in order, the second one cuts off what still runs.',
      'Exit code: 0 after a stop in order, 1 where the start failed or something was cut off.',
    ],
    options: {},
    run: async () => (await import('./serve.ts')).serve(),
  },
  {
    name: 'migrate',
    summary: 'brings the schema of DATABASE_URL up to date, while no service writes it',
    details: [
      'Creates the database where there is none.',
      'Exit code: 0 when the schema is up to date, 1 when it is not.',
    ],
    options: {
      check: { type: 'boolean', summary: 'only say what is missing; also while a service runs' },
    },
    run: async ({ check }) => (await import('./migrate.ts')).migrate(check === true),
  },
  {
    name: 'config',
    summary: 'prints the effective configuration, secrets masked',
    details: ['Exit code: 0, or 1 when the configuration cannot be used.'],
    options: {},
    run: async () => (await import('./config.ts')).showConfig(),
  },
  {
    name: 'verify',
    summary: 'checks on DATABASE_URL that numbers and versions are dense, also while a service runs',
    details: [
      'Exit code: 0 when the promises hold, 1 when they are violated, 2 when the database cannot be read.',
    ],
    options: {},
    run: async () => (await import('./verify.ts')).verify(),
  },
  {
    name: 'healthcheck',
    summary: 'asks the running service of this configuration whether it is ready',
    details: ['Waits 2 s at most. Exit code: 0 when it is ready, 1 when it is not.'],
    options: {},
    run: async () => (await import('./healthcheck.ts')).healthcheck(),
  },
];
