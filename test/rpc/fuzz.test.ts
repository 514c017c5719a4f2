import { type Message, toBinary, toJsonString } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.js';
import { Health } from '../../gen/health/v1/health_pb.js';
import { verifyDatabase } from '../../src/db/database.ts';
import { arbitraryMessage } from '../support/arbitrary-messages.ts';
import { placeOf } from '../support/place.ts';
import { sharedApp } from '../support/shared-app.ts';
import { call, exchange, frame, headersOf, type Reply, WIRES, type Wire } from '../support/wire.ts';

// LONG=1: more of it, from a new seed each time; fast-check prints the seed of a failure.
const LONG = process.env['LONG'] === '1';
const PARAMETERS = LONG ? { numRuns: 6_000 } : { numRuns: 120, seed: 20_26 };
const app = sharedApp();
const seen = new Map<string, number>();

interface Shot {
  readonly wire: Wire;
  readonly path: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

const METHODS = SequenceService.methods;
const wires = fc.constantFrom(...WIRES);
const isFramed = (wire: Wire) => wire === 'grpc' || wire === 'grpc-web';
const pathOf = (method: { name: string; parent: { typeName: string } }) =>
  `/${method.parent.typeName}/${method.name}`;
const paths = fc.constantFrom(
  ...[...METHODS, Health.method.check, Health.method.list, ServerReflection.method.serverReflectionInfo].map(
    pathOf,
  ),
);

/** A message in the encoding of the wire; where JSON cannot say it, as bytes. */
function encoded(wire: Wire, desc: (typeof METHODS)[number]['input'], message: Message): Buffer {
  if (wire !== 'connect-json') return Buffer.from(toBinary(desc, message));
  try {
    return Buffer.from(toJsonString(desc, message));
  } catch {
    return Buffer.from('{"content":{"a":1e999}}');
  }
}

const messages = fc
  .tuple(
    wires,
    fc
      .constantFrom(...METHODS)
      .chain((method) => arbitraryMessage(method.input).map((message) => ({ method, message }))),
  )
  .map(([wire, { method, message }]): Shot => {
    const bytes = encoded(wire, method.input, message);
    return { wire, path: pathOf(method), headers: {}, body: isFramed(wire) ? frame(bytes) : bytes };
  });

/** A good body in which some bytes are another, missing, or there twice. */
const mutated = fc
  .tuple(
    messages,
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'cut', 'double')), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([shot, changes]): Shot => {
    let body = Buffer.from(shot.body);
    for (const [where, byte, how] of changes) {
      const at = body.length === 0 ? 0 : where % body.length;
      if (how === 'set' && body.length > 0) body[at] = byte;
      if (how === 'cut') body = body.subarray(0, at);
      if (how === 'double') body = Buffer.concat([body.subarray(0, at), body]);
    }
    return { ...shot, body };
  });

const raw = fc
  .tuple(
    wires,
    paths,
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((json) => Buffer.from(json)),
    ),
    fc.boolean(),
  )
  .map(
    ([wire, path, bytes, whole]): Shot => ({
      wire,
      path,
      headers: {},
      body: whole && isFramed(wire) ? frame(bytes) : bytes,
    }),
  );

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
  maxLength: 20,
});
const oddHeaders = fc.record(
  {
    'content-type': fc.oneof(
      fc.constantFrom(
        'application/json; charset=utf-8',
        'application/grpc+json',
        'application/grpc-web-text',
        'application/connect+proto',
        'APPLICATION/GRPC',
        'application/proto',
      ),
      printable,
    ),
    'grpc-timeout': fc.oneof(fc.constantFrom('1m', '0S', '99999999H', '5u'), printable),
    'connect-timeout-ms': fc.oneof(fc.constantFrom('1', '0', '9999999999'), printable),
    'content-encoding': fc.oneof(fc.constantFrom('gzip', 'br', 'identity'), printable),
    'grpc-encoding': fc.oneof(fc.constantFrom('gzip', 'br', 'identity'), printable),
    'accept-encoding': printable,
    'grpc-accept-encoding': fc.oneof(fc.constant('gzip'), printable),
    'connect-protocol-version': fc.constantFrom('1', '2', ''),
    'x-request-id': printable,
    'x-test-bin': printable,
    origin: printable,
    cookie: printable,
  },
  { requiredKeys: [] },
);
const odd = fc
  .tuple(fc.oneof(messages, raw), oddHeaders)
  .map(([shot, headers]): Shot => ({ ...shot, headers }));

async function fire(shot: Shot): Promise<void> {
  const { wire, path, body } = shot;
  let reply: Reply;
  try {
    reply = await exchange(app().url, wire, path, {
      path,
      body,
      headers: { ...headersOf(wire), ...shot.headers },
    });
  } catch (error) {
    // A content type of one protocol with the bytes of another cannot always be read; only the server matters.
    if (error instanceof SyntaxError || error instanceof RangeError || error instanceof URIError) return;
    throw error;
  }
  const context = `${wire} ${path} ${reply.status} ${reply.message} ${reply.body.subarray(0, 300)}`;
  expect(['INTERNAL', 'UNKNOWN'], context).not.toContain(reply.code);
  expect([500, 502], context).not.toContain(reply.status);
  expect(reply.body.toString('latin1'), context).not.toMatch(
    /"code":"(internal|unknown)"|grpc-status: ?(2|13)\b/,
  );
  expect(['2', '13'], context).not.toContain(reply.headers['grpc-status']);
  seen.set(reply.code, (seen.get(reply.code) ?? 0) + 1);
}

describe('no request is answered INTERNAL or UNKNOWN, and none harms the service', () => {
  test.each([
    ['messages, near and wild', messages],
    ['good bytes, mutated', mutated],
    ['raw bytes', raw],
    ['odd headers', odd],
  ])('%s', { timeout: 600_000 }, async (_, shots) => {
    const volleys = fc.asyncProperty(fc.array(shots, { minLength: 1, maxLength: 12 }), async (volley) => {
      await Promise.all(volley.map(fire));
    });
    await fc.assert(volleys, PARAMETERS);
    expect((await verifyDatabase(placeOf(app().file))).violations).toEqual([]);
  });

  test('they reached what they were aimed at', () => {
    for (const code of ['OK', 'INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'ABORTED'])
      expect(seen.get(code) ?? 0, code).toBeGreaterThan(code === 'OK' ? 100 : 0);
  });

  test('the service serves on', async () => {
    expect((await call(app().url, 'grpc', 'GetSequence', { elementType: 1 })).code).toBe('OK');
    const metrics = await (await fetch(`${app().url}/metrics`)).text();
    expect(metrics).toMatch(/^sequence_rpc_in_flight 0$/m);
    expect(metrics).not.toMatch(/code="(INTERNAL|UNKNOWN)"/);
  });
});
