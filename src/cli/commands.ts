import type { Command, Operand, Option } from './command.ts';

const SERVER: Option = {
  type: 'string',
  value: 'URL',
  summary: 'where the service runs; where this configuration would serve, when left out',
};
const TOKEN_FILE: Option = {
  type: 'string',
  value: 'FILE',
  summary: 'where the token is that the service asks for; SEQUENCE_TOKEN when left out',
};
const CA: Option = {
  type: 'string',
  value: 'FILE',
  summary: 'the authority of an https address in PEM; SEQUENCE_CA_FILE when left out',
};
/** Of every command that speaks to a running service. */
const REMOTE = { server: SERVER, 'token-file': TOKEN_FILE, ca: CA } as const;
const SCOPE: Option = { type: 'string', value: 'NAME', summary: 'the book, script or tenant' };
const JSON_OUTPUT: Option = { type: 'boolean', summary: 'for scripts' };
const TYPE: Operand = { name: 'TYPE' };
const ID: Operand = { name: 'ID' };
const TYPES = 'TYPE is script, section, character, action or spokenWord.';

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
    summary: 'brings the schema of DATABASE_URL up to date',
    details: [
      'Creates the database where there is none. On SQLite while no service runs; on PostgreSQL services go on.',
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
    name: 'backup',
    summary: 'copies the SQLite database of DATABASE_URL, also while a service runs',
    details: [
      'The copy is checked before it gets its name. docs/operations.md says what to run for PostgreSQL.',
      'Exit code: 0 when the backup is whole and on the disk, 1 when there is none.',
    ],
    operands: [{ name: 'FILE' }],
    options: { force: { type: 'boolean', summary: 'replace FILE where it is there' } },
    run: async ({ force }, [file = '']) => (await import('./backup.ts')).backup(file, force === true),
  },
  {
    name: 'restore',
    summary: 'puts a backup in the place of the SQLite database of DATABASE_URL, while no service writes it',
    details: [
      'What was there is kept beside it. The search index follows the restored database from its next start on.',
      'Exit code: 0 when the backup is in place, 1 when nothing has changed.',
    ],
    operands: [{ name: 'FILE' }],
    options: {},
    run: async (_options, [file = '']) => (await import('./restore.ts')).restore(file),
  },
  {
    name: 'restored',
    summary: 'notes that DATABASE_URL was restored by other means, before a service runs on it',
    details: [
      'The search index is then sent everything anew, and what the database does not know is deleted from it.',
      'Exit code: 0 when it is noted, 1 when it is not.',
    ],
    options: {},
    run: async () => (await import('./restore.ts')).restored(),
  },
  {
    name: 'copy',
    summary:
      'copies a database into an empty one, from SQLite to PostgreSQL or back, while no service runs on either',
    details: [
      'All of it, what the search index is still owed included; checked on both sides. Aborted, it leaves nothing.',
      'Exit code: 0 when the copy is whole, 1 when nothing was copied.',
    ],
    options: {
      from: { type: 'string', value: 'URL', summary: 'the DATABASE_URL to read' },
      to: { type: 'string', value: 'URL', summary: 'the DATABASE_URL to fill' },
    },
    run: async ({ from, to }) => (await import('./copy.ts')).copy(from, to),
  },
  {
    name: 'healthcheck',
    summary: 'asks the running service of this configuration whether it is ready',
    details: ['Waits 2 s at most. Exit code: 0 when it is ready, 1 when it is not.'],
    options: {},
    run: async () => (await import('./healthcheck.ts')).healthcheck(),
  },
  {
    name: 'import',
    summary: 'makes a scope hold exactly what a screenplay in the Fountain format says',
    details: [
      'Compares with what the running service holds and sends only the difference; docs/import.md says how.',
      'Exit code: 0 when the scope holds the file, 1 when it does not.',
    ],
    operands: [{ name: 'PLAY.fountain' }],
    options: { scope: SCOPE, ...REMOTE, json: JSON_OUTPUT },
    run: async (options, [file = '']) => (await import('./import.ts')).importFountain(file, options),
  },
  {
    name: 'export',
    summary: 'writes the screenplay of a scope in the Fountain format',
    details: ['Exit code: 0 when all of it is written, 1 when it is not.'],
    options: {
      scope: SCOPE,
      ...REMOTE,
      output: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'the file; standard output when left out',
      },
    },
    run: async (options) => (await import('./export.ts')).exportFountain(options),
  },
  {
    name: 'list',
    summary: 'lists the elements of a sequence, or the sequences of a scope',
    details: [TYPES, 'Exit code: 0, or 1 when the service cannot be asked.'],
    operands: [{ ...TYPE, optional: true }],
    options: {
      scope: SCOPE,
      ...REMOTE,
      start: { type: 'string', value: 'N', summary: 'the number to start at; 1 when left out' },
      limit: { type: 'string', value: 'N', summary: 'how many at most; all when left out' },
      json: JSON_OUTPUT,
    },
    run: async (options, [type]) => (await import('./list.ts')).list(type, options),
  },
  {
    name: 'history',
    summary: 'lists the versions of an element, the newest first',
    details: [TYPES, 'Exit code: 0, or 1 when there is no such element.'],
    operands: [TYPE, ID],
    options: { scope: SCOPE, ...REMOTE, json: JSON_OUTPUT },
    run: async (options, [type = '', id = '']) => (await import('./history.ts')).history(type, id, options),
  },
  {
    name: 'move',
    summary: 'moves an element to another place of its sequence',
    details: [TYPES, 'Exit code: 0, or 1 when it cannot be moved.'],
    operands: [TYPE, ID],
    options: {
      scope: SCOPE,
      ...REMOTE,
      before: { type: 'string', value: 'ID', summary: 'right before this element' },
      after: { type: 'string', value: 'ID', summary: 'right after this element' },
      first: { type: 'boolean', summary: 'to the beginning' },
      last: { type: 'boolean', summary: 'to the end' },
      position: { type: 'string', value: 'N', summary: 'to this place, from 1' },
      comment: { type: 'string', value: 'TEXT', summary: 'for the history of the sequence' },
      json: JSON_OUTPUT,
    },
    run: async (options, [type = '', id = '']) => (await import('./move.ts')).move(type, id, options),
  },
  {
    name: 'remove',
    summary: 'removes an element with all its versions',
    details: [TYPES, 'Exit code: 0, or 1 when there is no such element.'],
    operands: [TYPE, ID],
    options: {
      scope: SCOPE,
      ...REMOTE,
      comment: { type: 'string', value: 'TEXT', summary: 'for the history of the sequence' },
      json: JSON_OUTPUT,
    },
    run: async (options, [type = '', id = '']) => (await import('./remove.ts')).remove(type, id, options),
  },
  {
    name: 'token',
    summary: 'makes a token for API_TOKENS_FILE and shows it once',
    details: [
      '"token create NAME" prints the token; the file gets its line, which holds only a hash of it.',
      'Exit code: 0 when the token is made, 1 when it is not.',
    ],
    operands: [{ name: 'create' }, { name: 'NAME' }],
    options: {
      permissions: {
        type: 'string',
        value: 'LIST',
        summary: 'read, write or admin; each includes those before it',
      },
      scopes: {
        type: 'string',
        value: 'LIST',
        summary: "scopes, beginnings of scopes such as 'play-*', or '*' for every scope",
      },
      file: {
        type: 'string',
        value: 'FILE',
        summary: 'the file to add the line to; API_TOKENS_FILE when left out',
      },
    },
    run: async (options, [action = '', name = '']) =>
      (await import('./token.ts')).token(action, name, options),
  },
  {
    name: 'sync-status',
    summary: 'shows how far the search index has followed',
    details: ['Exit code: 0, or 1 when documents are parked or the service cannot be asked.'],
    options: { ...REMOTE, json: JSON_OUTPUT },
    run: async (options) => (await import('./sync.ts')).syncStatus(options),
  },
  {
    name: 'resync',
    summary: 'has the running service send every document to the search index anew',
    details: ['Exit code: 0 when it has begun, with --wait when it has ended; 1 when it has not.'],
    options: {
      ...REMOTE,
      recreate: { type: 'boolean', summary: 'drop the collection of this configuration first' },
      wait: { type: 'boolean', summary: 'show the progress and wait for the end' },
    },
    run: async (options) => (await import('./sync.ts')).resync(options),
  },
];
