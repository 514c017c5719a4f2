/**
 * What differs between the database engines: capabilities, and the words for what each says otherwise. Code and tests
 * ask for a capability, never for a name.
 */
export interface Engine {
  readonly name: 'sqlite' | 'postgres';
  readonly capabilities: {
    /** Whether several processes may write the same database at the same time. */
    readonly manyWriters: boolean;
    /** Whether a sequence is locked by its row, or with the whole database. */
    readonly locksRows: boolean;
    /** Whether uniqueness is checked when a statement ends, or at each row, so that numbers pass through negatives. */
    readonly checksAtStatementEnd: boolean;
    /**
     * Whether Generates at the end of a sequence can be written by one statement, which `queries/append.ts` has: both can;
     * an engine that could not would have the long form, which is tested as one.
     */
    readonly appendsAtOnce: boolean;
    /** Whether an error can roll a transaction back, so that what follows would be committed on its own. */
    readonly mayRollBackByItself: boolean;
    /** Whether a column holds values of any type, whatever it was declared for. */
    readonly dynamicTypes: boolean;
    /** Whether a database is a file, that can be full, or linked to. */
    readonly isFile: boolean;
  };
}

/** SQLite: one process, one writing connection, a transaction that locks the whole database. */
export const SQLITE: Engine = {
  name: 'sqlite',
  capabilities: {
    manyWriters: false,
    locksRows: false,
    checksAtStatementEnd: false,
    appendsAtOnce: true,
    mayRollBackByItself: true,
    dynamicTypes: true,
    isFile: true,
  },
};

/** PostgreSQL: any number of processes and connections, a transaction that locks the rows of its sequences. */
export const POSTGRES: Engine = {
  name: 'postgres',
  capabilities: {
    manyWriters: true,
    locksRows: true,
    checksAtStatementEnd: true,
    appendsAtOnce: true,
    mayRollBackByItself: false,
    dynamicTypes: false,
    isFile: false,
  },
};

/** A statement, in the words of each engine. Parameters are written `?1`, `?2`. */
export type Statement = Readonly<Record<Engine['name'], string>>;

/** The types of values that come out of JSON. */
export type SqlType = 'integer' | 'bigint' | 'text';

/** The words that differ. */
export interface Words {
  readonly engine: Engine;
  /**
   * The elements of a JSON array as something to select from: `value` and `key`. Rows travel in one parameter, so that
   * one prepared statement fits every number of them; in PostgreSQL that is cheaper than arrays and `unnest`.
   */
  each(parameter: string, alias?: string): string;
  /** The index of an element of {@link each}, from 0. */
  index(alias: string): string;
  /** The nth item of an element that is an array itself. */
  item(n: number, type: SqlType, alias?: string): string;
  /** An element that is a number. */
  value(type: SqlType, alias?: string): string;
  /** The nth item of a parameter that is a JSON array. */
  json(parameter: string, n: number, type: SqlType): string;
  least(a: string, b: string): string;
  greatest(a: string, b: string): string;
  /** The text of a JSON array of these columns. */
  jsonArray(columns: string): string;
  /** The texts of a column that are not null, with commas between them, in the order of another or in none. */
  joined(text: string, order?: string): string;
  /** What makes a SELECT lock the rows that it reads of a table, in the order in which it sorts them; or nothing. */
  lock(table: string): string;
  /**
   * Goes on with a join: for each row so far, the rows of a table that meet a condition, found by an index. PostgreSQL
   * would choose itself where to begin, and choose badly while a table is young and its statistics are not; so it gets
   * a form that leaves no choice.
   */
  probe(table: string, alias: string, condition: string, lock?: Lock): string;
  /** As {@link probe}, with a row of nulls where there is none. */
  leftProbe(table: string, alias: string, condition: string, lock?: Lock): string;
  /** What follows SET: for each of the given rows, the rows of the table that meet a condition. */
  matching(table: string, rows: string, condition: (table: string) => string, lock?: Lock): string;
  /** Deletes the rows of a table whose columns are those of one of the given rows. */
  deleteMatching(table: string, rows: string, columns: readonly string[], lock?: Lock): string;
}

/** Whether rows are locked as they are found: waited for, or passed over where another transaction holds them. */
export type Lock = 'wait' | 'skip';

const SQLITE_WORDS: Words = {
  engine: SQLITE,
  each: (parameter, alias = 'k') => `json_each(${parameter}) ${alias}`,
  index: (alias) => `${alias}.key`,
  item: (n, _type, alias = 'k') => `${alias}.value->>${n}`,
  value: (_type, alias = 'k') => `${alias}.value`,
  json: (parameter, n) => `json(${parameter})->>${n}`,
  least: (a, b) => `min(${a}, ${b})`,
  greatest: (a, b) => `max(${a}, ${b})`,
  jsonArray: (columns) => `json_array(${columns})`,
  // The rows come in that order already, and SQLite would sort them.
  joined: (text) => `group_concat(${text}, ',')`,
  lock: () => '',
  probe: (table, alias, condition) => `CROSS JOIN ${table} ${alias} ON ${condition}`,
  leftProbe: (table, alias, condition) => `LEFT JOIN ${table} ${alias} ON ${condition}`,
  matching: (table, rows, condition) => `FROM ${rows} WHERE ${condition(table)}`,
  deleteMatching: (table, rows, columns) =>
    `DELETE FROM ${table} WHERE (${columns.join(', ')}) IN (SELECT ${columns.join(', ')} FROM ${rows})`,
};

const POSTGRES_WORDS: Words = {
  engine: POSTGRES,
  each: (parameter, alias = 'k') =>
    `jsonb_array_elements(${parameter}::jsonb) WITH ORDINALITY AS ${alias}(value, key)`,
  index: (alias) => `(${alias}.key - 1)`,
  item: (n, type, alias = 'k') => cast(`${alias}.value->>${n}`, type),
  value: (type, alias = 'k') => cast(`${alias}.value#>>'{}'`, type),
  json: (parameter, n, type) => cast(`${parameter}::jsonb->>${n}`, type),
  least: (a, b) => `LEAST(${a}, ${b})`,
  greatest: (a, b) => `GREATEST(${a}, ${b})`,
  jsonArray: (columns) => `json_build_array(${columns})::text`,
  joined: (text, order) => `string_agg(${text}, ','${order === undefined ? '' : ` ORDER BY ${order}`})`,
  lock: (table) => `FOR UPDATE OF ${table}`,
  probe: (table, alias, condition, lock) => `CROSS JOIN ${lateral(table, alias, condition, '*', lock)}`,
  leftProbe: (table, alias, condition, lock) =>
    `LEFT JOIN ${lateral(table, alias, condition, '*', lock)} ON true`,
  matching: (table, rows, condition, lock) =>
    `FROM ${places(table, rows, condition('t'), lock)} WHERE ${table}.ctid = ${rows}.place`,
  deleteMatching: (table, rows, columns, lock) => {
    const condition = columns.map((column) => `t.${column} = ${rows}.${column}`).join(' AND ');
    return `DELETE FROM ${table} USING ${places(table, rows, condition, lock)} WHERE ${table}.ctid = ${rows}.place`;
  },
};

/** A subquery that is run for each row before it, and not taken apart: OFFSET 0 and FOR UPDATE keep it together. */
function lateral(table: string, alias: string, condition: string, what: string, lock?: Lock): string {
  const end = lock === undefined ? 'OFFSET 0' : `FOR UPDATE${lock === 'skip' ? ' SKIP LOCKED' : ''}`;
  return `LATERAL (SELECT ${what} FROM ${table} ${alias} WHERE ${condition} ${end}) ${alias}`;
}

/** The given rows, each with the place of a row of the table that belongs to it; the lock of the sequence keeps it. */
function places(table: string, rows: string, condition: string, lock?: Lock): string {
  return `(SELECT ${rows}.*, t.place FROM ${rows}
    CROSS JOIN ${lateral(table, 't', condition, 't.ctid AS place', lock)}) ${rows}`;
}

/** Makes a statement: the text once with each engine's words. */
export function statement(text: (words: Words) => string): Statement {
  return { sqlite: text(SQLITE_WORDS), postgres: dollars(text(POSTGRES_WORDS)) };
}

/** A statement's text for an engine; a plain string means the same to both. */
export function textFor(engine: Engine, sql: Statement | string): string {
  if (typeof sql !== 'string') return sql[engine.name];
  return engine === POSTGRES ? dollars(sql) : sql;
}

/** PostgreSQL writes its parameters `$1`. */
function dollars(text: string): string {
  return text.replaceAll(/\?(\d+)/g, '$$$1');
}

function cast(value: string, type: SqlType): string {
  return type === 'text' ? `(${value})` : `(${value})::${type}`;
}
