import type { Pool, PoolClient } from 'pg';

/** Ends a connection at once, where `end()` would wait for what is under way; who waits for an answer gets `reason`. */
export function cut(client: PoolClient, reason?: Error): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(reason?: Error): void } } })
    .connection;
  stream.destroy(reason);
}

/**
 * Cuts each connection that is out of the pool for longer than `timeoutMs`. For pools whose connections are taken for
 * one statement each: then it is the server that gives no answer.
 *
 * The driver's own `query_timeout` does so too, by putting a function of its own in the place of the query's callback
 * for each statement. That one holds the query with its rows, and most of them got into V8's old generation (ADR 14).
 */
export function cutUnanswered(pool: Pool, timeoutMs: number): void {
  /** By connection, when its answer is due, as `performance.now()` has it; Infinity while it is in the pool. */
  const due = new Map<PoolClient, number>();
  let timer: NodeJS.Timeout | undefined;
  const wait = (ms: number) => {
    timer = setTimeout(check, ms).unref();
  };
  const check = () => {
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [client, at] of due)
      if (at > now) next = Math.min(next, at);
      else {
        due.set(client, Number.POSITIVE_INFINITY);
        cut(client, new Error(`the server gave no answer within ${timeoutMs} ms`));
      }
    timer = undefined;
    if (next < Number.POSITIVE_INFINITY) wait(next - now);
  };
  pool.on('acquire', (client) => {
    due.set(client, performance.now() + timeoutMs);
    // One that is running wakes no later than this is due.
    if (timer === undefined) wait(timeoutMs);
  });
  pool.on('release', (_error, client) => due.set(client, Number.POSITIVE_INFINITY));
  pool.on('remove', (client) => due.delete(client));
}
