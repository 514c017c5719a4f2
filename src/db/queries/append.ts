import type { Engine } from '../engine.ts';
import type { ElementType } from '../entities/sequence.ts';
import type { WriteTransaction } from '../transaction.ts';
import type { AppendBase, AppendForm, Appends } from './append-form.ts';
import { POSTGRES_APPEND } from './append-postgres.ts';
import { SQLITE_APPEND } from './append-sqlite.ts';

const FORMS: Readonly<Record<Engine['name'], AppendForm>> = {
  sqlite: SQLITE_APPEND,
  postgres: POSTGRES_APPEND,
};

/**
 * Puts elements at the end of sequences, with their marks and changes: all in one statement. None of them may exist:
 * the constraints refuse all then.
 *
 * @param appends each sequence once; only one where the engine locks sequences by their rows
 * @param change the clock, microseconds since the epoch, and the token of the batch
 * @param alone whether the statement is all of the transaction
 * @returns each sequence before. One that was never used is made; where the engine locks sequences by their rows it is
 * not, and undefined, and nothing is written
 */
export async function appendElements(
  tx: WriteTransaction,
  appends: readonly Appends[],
  change: { now: number; token: string },
  alone: boolean,
): Promise<(AppendBase | undefined)[]> {
  const form = FORMS[tx.engine.name];
  const parameters = form.parameters(appends, change);
  const rows = await (alone ? tx.alone(form.sql, parameters) : tx.query(form.sql, parameters));
  return form.bases(rows, appends);
}

/** How many changes back the newest is that can be looked for. */
const MAX_LOOK_BACK = 100_000;
const FIND_APPENDED = `SELECT s.size, s.order_revision AS "orderRevision", c.revision, c.change_time AS time
  FROM sequence s JOIN change c ON c.sequence_id = s.id
  WHERE s.scope = ?1 AND s.element_type = ?2 AND c.revision > s.revision - ${MAX_LOOK_BACK} AND c.batch_token = ?3
  ORDER BY c.revision`;

/**
 * What {@link appendElements} has answered, where that was lost. The caller holds the lock of the sequence.
 *
 * @returns undefined where it was not committed; `moved on` where it was, and the order has changed since, so that
 * the numbers can no longer be told
 */
export async function findAppended(
  tx: WriteTransaction,
  [scope, elementType]: readonly [scope: string, elementType: ElementType],
  token: string,
): Promise<AppendBase | 'moved on' | undefined> {
  const rows = await tx.query<{ size: number; orderRevision: number; revision: number; time: number }>(
    FIND_APPENDED,
    [scope, elementType, token],
  );
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  if (last.orderRevision !== last.revision) return 'moved on';
  return { size: first.size - rows.length, revision: first.revision - 1, time: first.time - 1 };
}
