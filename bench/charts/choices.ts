import type { Row } from '../results.ts';
import { type Bar, barChart } from './chart.ts';

/** A design choice, what decided it, and the rows that show it now. */
export interface Choice {
  /** The name of its chart's file. */
  readonly name: string;
  readonly title: string;
  /** Why; what was measured for the design is said to be so. */
  readonly why: string;
  /** Rows of these ids, or below them where one ends in a slash. */
  readonly rows: readonly string[];
  chart(rows: readonly Row[]): string | undefined;
}

export const CHOICES: readonly Choice[] = [
  {
    name: 'group-commit',
    title: 'Group commit',
    why: `A write costs little, its commit much. While one transaction is in flight the next batch gathers and starts when
that commits; no timer, so a lone call waits for nothing. Answers that leave together are also cheaper to send, so a
durable \`Generate\` can be faster than a call that does nothing. Measured for the design, JSON at 64 callers: one
transaction for each request 1.4 k/s, \`repository.save()\` 0.7 k/s, group commit 10.9 k/s, a call that does nothing 8.6 k/s.

Before it draws, the writer has the event loop read what has arrived: whoever was just answered often calls again at
once. Without that, batches were of 33 at 64 callers, with it of 63, and a call through the lane took 61 µs of CPU without
and 53 with it (medians of three runs that alternated, beside other work).

A batch of Generates is one statement on either engine, which commits itself: on SQLite 9.8 µs of the processor's time for
a row at batches of 64, where eight statements took 19.5 ([ADR 16](adr/0016-appends-in-one-statement.md)).`,
    rows: ['generate/'],
    chart: (rows) => bySides('Calls a second, without the lane', rows),
  },
  {
    name: 'lane',
    title: "A unary lane before connect-es' handlers",
    why: `The protocol layer, not the database, bounds the service: measured for the design, a call that does nothing costs
96 to 113 µs of CPU over the stock adapter (gRPC 213 µs), 21 to 26 µs over a lane that only knows unary calls. It is held
against connect-node's \`connectNodeAdapter\` as it comes, without interceptors, log and metrics, under plain Node.`,
    rows: ['lane/'],
    chart: (rows) => bySides('Calls a second, 64 callers', rows),
  },
  {
    name: 'marks',
    title: 'Marks in the same transaction',
    why: `What the index has to learn is written with the change itself, so that no crash can lose it. That costs a row in a
second table for each write. Measured for the design: 0 to 9 %.`,
    rows: ['marks/'],
    chart: (rows) =>
      byRows(
        'A row by the bare driver, batches of 64',
        rows.filter(({ id }) => id.startsWith('marks/driver/')),
      ),
  },
  {
    name: 'size',
    title: 'A cost that does not grow with the sequence',
    why: `The counter of a sequence stands in its own row; nothing counts or reads the elements before the new one. Measured
for the design: 1 k against 1 M elements within 5 %.`,
    rows: ['size/'],
    chart: (rows) => bySides('Generate a second, 64 callers', rows),
  },
  {
    name: 'postgres',
    title: 'PostgreSQL: one statement for a batch',
    why: `One round trip and one implicit transaction take the counter, the rows and the marks; against it stands what one
transaction for each request can reach on one hot row. Measured for the design, 64 callers: group commit 11.9 k/s,
pgbench 1.7 k/s.`,
    rows: ['postgres/'],
    chart: (rows) => bySides('Transactions a second that a caller sees', rows),
  },
  {
    name: 'replicas',
    title: 'Replicas on one database',
    why: `Any replica may write any sequence; the row of the sequence is the lock. Measured for the design on one hot sequence:
two replicas reach 1.56 times one at 256 callers, 1.15 times at 64.`,
    rows: ['replicas/'],
    chart: (rows) => bySides('Generate a second, 256 callers', rows),
  },
  {
    name: 'reorder',
    title: 'Reorder: set by set, on an asynchronous driver',
    why: `Numbers are unique at every moment. On SQLite they pass through their negatives, on PostgreSQL the constraint is
deferrable and only changed rows are written. Measured for the design, 10,000 elements: row by row 336 ms (PostgreSQL 1,072
ms), as sets 38 ms (69 ms). The driver works in threads of its own, so that others go on: while reorders ran back to back,
their p99 was 1.24 times what it is in quiet, 5.7 times with a synchronous driver.`,
    rows: ['reorder/'],
    chart: (rows) =>
      byRows(
        'Reorder of 10,000',
        rows.filter(({ unit }) => unit === 'ms'),
      ),
  },
  {
    name: 'remove',
    title: 'Renumbering in one statement, bounded by MAX_RENUMBER',
    why: `Removing the first element gives every other one a new number, which no reader may see half done. The bound is
what keeps the wait of other writers, who on SQLite share the file, below a second.`,
    rows: ['remove/'],
    chart: (rows) => byRows('While the first of 100,000 is removed', rows),
  },
  {
    name: 'sends',
    title: 'Sends to the index',
    why: `undici's \`request\` with the answer's body dumped: measured for the design 49 to 53 k calls/s at 8 to 32 in flight,
against 7.5 k/s of the global \`fetch\`.`,
    rows: ['sends/'],
    chart: (rows) =>
      byRows(
        'Documents a second',
        rows.filter(({ unit }) => unit === 'per second'),
      ),
  },
  {
    name: 'weather',
    title: 'A set of dirty documents, not calls from a write',
    why: `A write marks what the index has to learn and answers; the index is called by nobody who waits. So an index that is
away, hangs or answers with errors costs callers nothing.`,
    rows: ['weather/'],
    chart: (rows) =>
      byRows(
        "Generate's median by what it is in quiet",
        rows.filter(({ unit }) => unit === 'ratio'),
      ),
  },
  {
    name: 'resources',
    title: 'Memory and start',
    why: 'A container is given little memory and is expected to be ready soon, whatever its database holds.',
    rows: ['memory/', 'start/'],
    chart: (rows) =>
      byRows(
        'RSS under load, at most',
        rows.filter(({ unit }) => unit === 'MB'),
      ),
  },
  {
    name: 'auth',
    title: 'Authentication',
    why: 'A token is looked up by its digest; the keys that sign JWTs are cached.',
    rows: ['auth/'],
    chart: (rows) => bySides('Generate a second, 64 callers', rows),
  },
];

/** The rows that a choice is shown by. */
export function rowsOf(choice: Choice, rows: readonly Row[]): Row[] {
  return rows.filter(({ id }) =>
    choice.rows.some((wanted) => id === wanted || (wanted.endsWith('/') && id.startsWith(wanted))),
  );
}

/** Why nothing stands here. */
export function whyNot(rows: readonly Row[]): string {
  return rows.find(({ skipped }) => skipped !== undefined)?.skipped ?? 'its scenario has not been run';
}

/** Throughput of the sides, each once. */
function bySides(title: string, rows: readonly Row[]): string | undefined {
  const bars = new Map<string, Bar>();
  for (const { sides, title: row } of rows)
    for (const { label, perSecond } of sides) {
      const [, ...where] = row.split(', ');
      bars.set(JSON.stringify([label, perSecond]), {
        label: [label, ...where].join(', '),
        figure: perSecond,
      });
    }
  return drawn(title, 'per second', [...bars.values()]);
}

function byRows(title: string, rows: readonly Row[]): string | undefined {
  const bars = rows.flatMap(({ title: whole, value }) => {
    // What the chart's own title says already.
    const label = whole.startsWith(`${title} `) ? whole.slice(title.length + 1) : whole;
    return value === null ? [] : [{ label, figure: value }];
  });
  return drawn(title, rows[0]?.unit ?? 'ms', bars);
}

function drawn(title: string, unit: Row['unit'], bars: readonly Bar[]): string | undefined {
  return bars.length === 0 ? undefined : barChart(title, unit, bars);
}
