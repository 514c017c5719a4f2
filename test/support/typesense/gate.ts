import { earlyError, error } from './answer.ts';
import type { Answer } from './faulty-server.ts';
import type { RecordedRequest } from './request-log.ts';
import type { Route } from './routes.ts';

/** What is the matter with the whole server; a test changes it while the server runs. */
export interface Condition {
  /** Whether reads, or writes, are too far behind. Health follows reads alone. */
  ready: { read: boolean; write: boolean };
  rateLimited: boolean;
  apiKey: string;
  shuttingDown: boolean;
  outOf: 'OUT_OF_DISK' | 'OUT_OF_MEMORY' | undefined;
  skipWrites: boolean;
  /** A follower: without a leader it says so, with a dead one it says nothing at all. */
  leader: 'here' | 'unknown' | 'dead';
}

export function goodCondition(apiKey: string): Condition {
  return {
    ready: { read: true, write: true },
    rateLimited: false,
    apiKey,
    shuttingDown: false,
    outOf: undefined,
    skipWrites: false,
    leader: 'here',
  };
}

const MAX_QUERY = 4000;
const ALWAYS_READY: readonly Route[] = ['health', 'debug', 'config', 'status'];
/** POST, but a read. */
const READS: readonly Route[] = ['multi-search'];

/** The checks before any handler, in Typesense's order. */
export function refusedAtGate(
  condition: Condition,
  request: RecordedRequest,
  route: Route | undefined,
): Answer | undefined {
  const { method, path, query, headers } = request;
  if (method === 'GET' && path.endsWith('/search') && query.toString().length > MAX_QUERY)
    return error(
      400,
      `Query string exceeds max allowed length of ${MAX_QUERY}. Use the /multi_search end-point for larger payloads.`,
    );
  if (route === undefined) return earlyError(404, 'Not Found');
  const write = method !== 'GET' && !READS.includes(route);
  const ready = write ? condition.ready.write : condition.ready.read;
  if (!ready && !ALWAYS_READY.includes(route)) return earlyError(503, 'Not Ready or Lagging');
  if (condition.rateLimited) return earlyError(429, 'Rate limit exceeded or blocked');
  const key = headers['x-typesense-api-key'] ?? query.get('x-typesense-api-key');
  if (route !== 'health' && key !== condition.apiKey)
    return error(401, 'Forbidden - a valid `x-typesense-api-key` header must be sent.');
  return write ? refusedWrite(condition, method, route) : undefined;
}

function refusedWrite(condition: Condition, method: string, route: Route): Answer | undefined {
  const { shuttingDown, outOf, skipWrites, leader } = condition;
  if (shuttingDown) return error(503, 'Shutting down.');
  if (outOf !== undefined && method !== 'DELETE' && route !== 'config')
    return error(422, `Rejecting write: running out of resource type: ${outOf}`);
  if (skipWrites && route !== 'config') return error(422, 'Skipping writes.');
  if (leader === 'unknown') return error(500, 'Could not find a leader.');
  if (leader === 'dead') return { status: 500, headers: { 'content-type': '' }, body: '' };
  return undefined;
}
