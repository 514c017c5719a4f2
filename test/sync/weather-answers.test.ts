import { describe, test } from 'vitest';
import { answers } from '../support/typesense/faults.ts';
import { type Double, KINDS } from './harness.ts';
import { always, endure, type Weather } from './outage.ts';

/** On its documents only: what looks after the collection goes well. */
const documents = ({ route }: { route: string }) =>
  route === 'import' || route === 'sync' || route === 'documents.delete-where';
const condition = (change: object) => (double: Double) => {
  if ('condition' in double) Object.assign(double.condition, change);
};

const WEATHER: readonly Weather[] = [
  { name: '200 with HTML', begin: always(answers.html()) },
  { name: '200 without a body', begin: always(answers.empty(200)) },
  { name: '401', begin: always(answers.error(401, 'Forbidden')) },
  { name: '403', begin: always(answers.detail(403, 'Forbidden')) },
  { name: '404, the route is missing', begin: always(answers.error(404, 'Not Found'), documents) },
  {
    name: '404, it says the collection is missing',
    begin: always(answers.error(404, 'Collection not found')),
  },
  {
    name: '404, it says so of documents only',
    begin: always(answers.error(404, 'Collection not found'), documents),
  },
  { name: '408', begin: always(answers.error(408, 'Request Timeout')) },
  { name: '422, the disk is full', begin: always(answers.diskFull()) },
  { name: '429 with Retry-After', begin: always(answers.tooMany('1')) },
  { name: '500 without a body', begin: always(answers.empty(500)) },
  { name: '502 with HTML', begin: always(answers.html(502)) },
  { name: '503', begin: always(answers.notReady()) },
  { name: '504', begin: always(answers.detail(504, 'Gateway Timeout')) },
  {
    name: '400 for the whole request',
    only: 'typesense',
    begin: always(answers.error(400, 'Parameter `action` must be a create|update|upsert.')),
  },
  { name: '409 for the whole request', only: 'typesense', begin: always(answers.error(409, 'Conflict')) },
  {
    name: '503 because it lags',
    only: 'typesense',
    begin: condition({ ready: { read: true, write: false } }),
    end: condition({ ready: { read: true, write: true } }),
  },
  {
    name: 'nothing but an empty 500, its leader being dead',
    only: 'typesense',
    begin: condition({ leader: 'dead' }),
    end: condition({ leader: 'here' }),
  },
  {
    name: '500 for whatever is wrong behind it',
    only: 'typesense-client',
    begin: always(answers.detail(500, '[Errno 503] Not Ready or Lagging')),
  },
];

describe.each(KINDS)('%s', (kind) => {
  const weather = WEATHER.filter(({ only }) => only === undefined || only === kind);
  test.each(weather)('the index answers $name', (one) => endure(kind, one));
});
