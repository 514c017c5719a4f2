import { gzipSync } from 'node:zlib';
import { type DescMessage, type Message, toBinary, toJsonString } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { SequenceService } from '../../../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../../../gen/fountain/sequence/v1/sync_pb.js';
import { Health } from '../../../gen/health/v1/health_pb.js';
import { arbitraryMessage } from '../../support/arbitrary-messages.ts';
import { frame } from '../../support/wire.ts';

/** Small, so that a message which is too large is soon made. */
export const MAX_BODY_BYTES = 16 * 1024;
/** The origin that CORS lets in. */
export const ORIGIN = 'https://app.example';

/** One request, as bytes. */
export interface Shot {
  readonly verb: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** The parts that the body is sent in: where it is cut, from 0 up to 1. */
  readonly cuts: readonly number[];
  /** HTTP/1.1: sent as chunks, without a length. HTTP/2: also without one. */
  readonly withoutLength: boolean;
  /** What the header says of the length, less what it is. */
  readonly lengthLie: number;
  /** The client goes: after so much of the body, or when all of it has gone. */
  readonly leaves: 'never' | 'half-way' | 'after';
}

/** Requests of one connection: those of HTTP/1.1 are pipelined, those of HTTP/2 are sent together. */
export interface Case {
  readonly http: 1 | 2;
  readonly shots: readonly Shot[];
  /** HTTP/1.1: `1.0` in the request line. */
  readonly oldVersion: boolean;
}

const WIRES = {
  json: 'application/json',
  proto: 'application/proto',
  grpc: 'application/grpc',
  'grpc+proto': 'application/grpc+proto',
  'grpc-web': 'application/grpc-web+proto',
} as const;
type Wire = keyof typeof WIRES;

interface Meant {
  readonly path: string;
  readonly desc: DescMessage;
  readonly message: Message;
}

// What depends on the moment (GetSyncStatus), works on in the background (Resync) or stays open (Watch) is left out.
const METHODS = [
  ...SequenceService.methods,
  SyncService.method.listParked,
  SyncService.method.retryParked,
  SyncService.method.waitForSync,
  Health.method.check,
  Health.method.list,
];
const HEALTH_NAMES = ['', 'grpc.health.v1.Health', 'nobody', SequenceService.typeName];

const meant: fc.Arbitrary<Meant> = fc.oneof(
  ...METHODS.map((method) => {
    const path = `/${method.parent.typeName}/${method.name}`;
    const desc: DescMessage = method.input;
    return {
      weight: method.parent === SequenceService ? 3 : 1,
      arbitrary: messageOf(desc).map((message) => ({ path, desc, message })),
    };
  }),
);

function messageOf(desc: DescMessage): fc.Arbitrary<Message> {
  const messages = arbitraryMessage(desc);
  if (desc.typeName !== 'grpc.health.v1.HealthCheckRequest') return messages;
  return fc
    .tuple(messages, fc.constantFrom(...HEALTH_NAMES))
    .map(([message, service]) => Object.assign(message, { service }));
}

function encode(wire: Wire, { desc, message }: Meant): Buffer {
  if (wire === 'json') {
    try {
      return Buffer.from(toJsonString(desc, message));
    } catch {
      return Buffer.from('{"content":{"a":1e999}}');
    }
  }
  const bytes = toBinary(desc, message);
  return wire === 'proto' ? Buffer.from(bytes) : frame(bytes);
}

const wiresOf = (http: 1 | 2): fc.Arbitrary<Wire> =>
  http === 1
    ? fc.oneof(
        { weight: 6, arbitrary: fc.constant<Wire>('json') },
        { weight: 3, arbitrary: fc.constant<Wire>('proto') },
        { weight: 1, arbitrary: fc.constantFrom<Wire>('grpc', 'grpc-web') },
      )
    : fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom<Wire>('grpc', 'grpc+proto') },
        { weight: 3, arbitrary: fc.constantFrom<Wire>('json', 'proto') },
        { weight: 1, arbitrary: fc.constant<Wire>('grpc-web') },
      );

const token = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.'), minLength: 1, maxLength: 12 });
const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
  maxLength: 20,
});
const CONTENT_TYPES = [
  'application/json; charset=utf-8',
  'application/json;charset=utf8',
  'application/json; charset=latin1',
  'application/json ; charset=utf-8',
  'APPLICATION/JSON',
  'application/grpc+json',
  'application/grpc;x=y',
  'application/grpc-web-text',
  'application/connect+json',
  'application/connect+proto',
  'Application/Proto',
  'text/plain',
  'application/proto, application/json',
  '',
];
const ENCODINGS = ['identity', 'gzip', 'br', 'zip', 'Identity', 'gzip, identity', ''];
const ACCEPTED = [
  'gzip',
  'br',
  'identity',
  'gzip, br',
  'br;q=1, gzip',
  'deflate, gzip',
  'zip',
  '*',
  ' gzip ',
  '',
];
// None that ends while the call may or may not be running.
const CONNECT_TIMEOUTS = [
  '0',
  '00',
  '30000',
  '9999999999',
  '99999999999',
  '-1',
  '1.5',
  '5s',
  '',
  '0x10',
  '30000 ',
];
const GRPC_TIMEOUTS = [
  '0m',
  '0S',
  '30S',
  '30000m',
  '99999999H',
  '999999999S',
  '1n',
  '5u',
  'S',
  '5',
  '-5S',
  '5x',
  '',
];

type Change = (shot: Shot) => Shot;
const withHeader =
  (name: string) =>
  (value: string): Change =>
  (shot) => ({ ...shot, headers: [...shot.headers, [name, value] as const] });
const replaced =
  (name: string) =>
  (value: string): Change =>
  (shot) => ({
    ...shot,
    headers: [...shot.headers.filter(([other]) => other !== name), [name, value] as const],
  });
const withBody =
  (change: (body: Buffer) => Buffer): Change =>
  (shot) => ({ ...shot, body: change(shot.body) });

const bodyChanges: fc.Arbitrary<Change> = fc.oneof(
  fc
    .tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'cut', 'double'))
    .map(([where, byte, how]) =>
      withBody((body) => {
        const at = body.length === 0 ? 0 : where % body.length;
        if (how === 'cut') return body.subarray(0, at);
        if (how === 'double') return Buffer.concat([body.subarray(0, at), body]);
        const changed = Buffer.from(body);
        if (body.length > 0) changed[at] = byte;
        return changed;
      }),
    ),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => withBody(() => Buffer.from(bytes))),
  fc.json({ maxDepth: 3 }).map((text) => withBody(() => Buffer.from(text))),
  fc
    .constantFrom('\ufeff{}', '{}{}', '{"scope":"\\ud800"}', '[', 'null', '{"a":1}', '{"elementType":99}')
    .map((text) => withBody(() => Buffer.from(text))),
  // Too large, or just not: as JSON white space, as an unknown field it is not.
  fc
    .constantFrom(
      MAX_BODY_BYTES - 6,
      MAX_BODY_BYTES - 5,
      MAX_BODY_BYTES,
      MAX_BODY_BYTES + 1,
      MAX_BODY_BYTES * 3,
    )
    .map((size) =>
      withBody((body) => Buffer.concat([body, Buffer.alloc(Math.max(0, size - body.length), 0x20)])),
    ),
  fc.constantFrom(MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 0xffffffff, 3).map((length) =>
    withBody((body) => {
      const head = Buffer.from([0, 0, 0, 0, 0]);
      head.writeUInt32BE(length, 1);
      return Buffer.concat([head, body.subarray(5)]);
    }),
  ),
  // A flag of gRPC, with and without its meaning; a second message.
  fc
    .constantFrom(1, 2, 0x80)
    .map((flags) => withBody((body) => Buffer.concat([Buffer.from([flags]), body.subarray(1)]))),
  fc.constant(withBody((body) => frame(gzipSync(body.subarray(5)), 1))),
  fc.constant(withBody((body) => gzipSync(body))),
  fc.constant(withBody((body) => Buffer.concat([body, body]))),
);

const headerChanges: fc.Arbitrary<Change> = fc.oneof(
  fc.constantFrom(...CONTENT_TYPES).map(replaced('content-type')),
  fc.constantFrom(...CONTENT_TYPES).map(withHeader('content-type')),
  visible.map(replaced('content-type')),
  fc.constantFrom(...ENCODINGS).map(withHeader('content-encoding')),
  fc.constantFrom(...ENCODINGS).map(withHeader('grpc-encoding')),
  fc.constantFrom(...ACCEPTED).map(withHeader('accept-encoding')),
  fc.constantFrom(...ACCEPTED).map(withHeader('grpc-accept-encoding')),
  fc.constantFrom(...CONNECT_TIMEOUTS).map(withHeader('connect-timeout-ms')),
  fc.constantFrom(...GRPC_TIMEOUTS).map(withHeader('grpc-timeout')),
  fc.constantFrom('1', '2', '', 'x').map(withHeader('connect-protocol-version')),
  fc
    .oneof(visible, token, fc.constantFrom('', 'a b', 'x'.repeat(128), 'x'.repeat(129)))
    .map(withHeader('x-request-id')),
  fc.constantFrom(ORIGIN, 'https://evil.example', 'null', '').map(withHeader('origin')),
  fc.tuple(token, visible).map(([name, value]) => withHeader(`x-${name.toLowerCase()}`)(value)),
  fc.constantFrom('trailers', 'gzip', '').map(withHeader('te')),
  fc.constantFrom('100-continue', '200-ok').map(withHeader('expect')),
  fc.constantFrom('close', 'keep-alive', 'upgrade').map(withHeader('connection')),
  fc.constant(withHeader('cookie')('a=b; c=d')),
  fc.constant(withHeader('authorization')('Bearer x')),
  fc.constantFrom('other.example', 'a b[', '').map(withHeader('host')),
  fc.constant(withHeader('x-large')('x'.repeat(17_000))),
  fc.constant(withHeader('x-latin')('caf\u00e9')),
  fc.constantFrom('3', '-1', '+2', '0x2', '1, 1').map(withHeader('content-length')),
);

const otherChanges: fc.Arbitrary<Change> = fc.oneof(
  fc.constantFrom('GET', 'PUT', 'OPTIONS', 'HEAD', 'DELETE').map(
    (verb): Change =>
      (shot) => ({ ...shot, verb }),
  ),
  fc
    .constantFrom<(path: string) => string>(
      (path) => `${path}?a=b`,
      (path) => `${path}?encoding=json&message=%7B%7D`,
      (path) => `${path}/`,
      (path) => path.toLowerCase(),
      (path) => `http://sequence.test${path}`,
      (path) => `/${path}`,
      (path) => path.replace('Service', '%53ervice'),
      () => '/',
      () => '/health',
      () => '/constructor',
    )
    .map(
      (change): Change =>
        (shot) => ({ ...shot, path: change(shot.path) }),
    ),
  fc.constant<Change>((shot) => ({ ...shot, withoutLength: true })),
  fc.constantFrom(1, -1, 7).map(
    (lengthLie): Change =>
      (shot) => ({ ...shot, lengthLie }),
  ),
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 3 }).map(
    (cuts): Change =>
      (shot) => ({ ...shot, cuts: cuts.toSorted((a, b) => a - b) }),
  ),
);

const noise: fc.Arbitrary<readonly Change[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  { weight: 3, arbitrary: bodyChanges.map((change) => [change]) },
  { weight: 3, arbitrary: headerChanges.map((change) => [change]) },
  { weight: 2, arbitrary: otherChanges.map((change) => [change]) },
  {
    weight: 2,
    arbitrary: fc.array(fc.oneof(bodyChanges, headerChanges, otherChanges), { minLength: 2, maxLength: 4 }),
  },
);

const plain = { verb: 'POST', cuts: [], withoutLength: false, lengthLie: 0, leaves: 'never' } as const;

function shotOf(wire: Wire, what: Meant, changes: readonly Change[]): Shot {
  const headers = [['content-type', WIRES[wire]] as const];
  const shot: Shot = { ...plain, path: what.path, headers, body: encode(wire, what) };
  return changes.reduce((changed, change) => change(changed), shot);
}

/**
 * Over HTTP/2 a wrong length makes Node reset the stream. Whether an answer that does not wait for the body comes before
 * that is a matter of moments, so nothing else may be wrong with such a request.
 */
function settledShotOf(http: 1 | 2, wire: Wire, what: Meant, changes: readonly Change[]): Shot {
  const shot = shotOf(wire, what, changes);
  const lengths = shot.headers.filter(([name]) => name === 'content-length');
  if (http === 1 || (shot.lengthLie === 0 && lengths.length === 0)) return shot;
  const sound = shotOf(wire, what, []);
  return { ...sound, lengthLie: shot.lengthLie, headers: [...sound.headers, ...lengths] };
}

const shots = (http: 1 | 2) =>
  fc.tuple(wiresOf(http), meant, noise).map((parts) => settledShotOf(http, ...parts));

const single = fc
  .constantFrom<(1 | 2)[]>(1, 2)
  .chain((http) =>
    fc
      .tuple(shots(http), fc.integer({ max: 40, min: 0 }))
      .map(([shot, odd]): Case => ({ http, shots: [shot], oldVersion: http === 1 && odd === 0 })),
  );

/** Several at a time: each in a scope of its own, so that their order does not matter. */
const several = fc.constantFrom<(1 | 2)[]>(1, 2).chain((http) =>
  fc.array(fc.tuple(wiresOf(http), meant, noise), { minLength: 2, maxLength: 5 }).map(
    (parts): Case => ({
      http,
      oldVersion: false,
      shots: pipelined(
        http,
        parts.map(([wire, what, changes], i) => {
          if ('scope' in what.message) Object.assign(what.message, { scope: `p${i}` });
          if ('requestId' in what.message) Object.assign(what.message, { requestId: '' });
          return settledShotOf(http, wire, what, changes);
        }),
      ),
    }),
  ),
);

/** What stands behind a request that ends the connection may have been run or not: so one such at most, at the end. */
function pipelined(http: 1 | 2, all: readonly Shot[]): readonly Shot[] {
  if (http === 2) return all;
  // Node writes `100 Continue` at once, also into the middle of the answer before it.
  if (all.some(({ headers }) => headers.some(([name]) => name === 'expect'))) return all.slice(0, 1);
  return [...all.filter(isSoundOnHttp1), ...all.filter((shot) => !isSoundOnHttp1(shot)).slice(0, 1)];
}

/** Clients that go away: in the middle of a good request, or behind one whose answer nobody can be sure of. */
const leaving = fc.constantFrom<(1 | 2)[]>(1, 2).chain((http) =>
  fc
    .tuple(
      wiresOf(http),
      meant,
      fc.constantFrom('half-way', 'after'),
      fc.double({ min: 0, max: 1, noNaN: true }),
    )
    .map(([wire, what, leaves, cut]): Case => {
      const path = leaves === 'after' ? '/fountain.sequence.v1.SyncService/ListParked' : what.path;
      return { http, oldVersion: false, shots: [{ ...shotOf(wire, what, []), path, leaves, cuts: [cut] }] };
    }),
);

const CLOSING_HEADERS = ['content-length', 'host', 'connection', 'expect', 'x-large'];

/** Whether a connection of HTTP/1.1 goes on after a request and its answer. */
export function isSoundOnHttp1({ lengthLie, verb, headers }: Shot): boolean {
  return lengthLie === 0 && verb === 'POST' && !headers.some(([name]) => CLOSING_HEADERS.includes(name));
}

/** Everything that is tried. */
export const cases: fc.Arbitrary<Case> = fc.oneof(
  { weight: 12, arbitrary: single },
  { weight: 4, arbitrary: several },
  { weight: 1, arbitrary: leaving },
);
