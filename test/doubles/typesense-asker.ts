import type { TypesenseDouble } from '../support/typesense/typesense-double.ts';
import { type Asked, ask } from './ask.ts';

/** The schema of most tests: `title` required, the others not. */
export const SCHEMA = {
  name: 'c1',
  fields: [
    { name: 'title', type: 'string' },
    { name: 'points', type: 'int32', optional: true },
    { name: 'big', type: 'int64', optional: true },
    { name: 'weight', type: 'float', optional: true },
    { name: 'good', type: 'bool', optional: true },
    { name: 'tags', type: 'string[]', optional: true },
    { name: 'place', type: 'geopoint', optional: true },
  ],
};

/** Asks with the right key, a body of JSON or text. */
export function asker(double: TypesenseDouble) {
  return (method: string, path: string, body?: unknown): Promise<Asked> =>
    ask(double.url, method, path, {
      headers: { 'x-typesense-api-key': double.apiKey },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
}
