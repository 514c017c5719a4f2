import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { generateBytes, structBytes, valueBytes } from '../support/struct-bytes.ts';
import { callBytes, frame, hangUp, type Reply, type Wire } from '../support/wire.ts';
import { attacked, type Target } from './attack.ts';

const TIMES = 24;
const AT_A_TIME = 4;
/** Not those of the attacks on connections: a loop that is busy for long must not end a connection as idle. */
const TIMEOUTS = { HEADERS_TIMEOUT: '10s', REQUEST_TIMEOUT: '30s', IDLE_TIMEOUT: '30s' };
const DEPTH = 10_000;

/** Calls Generate so often, a few at a time, and checks each answer. */
async function flood(
  { url }: Target,
  wire: Wire,
  message: Uint8Array,
  headers: Readonly<Record<string, string>>,
  check: (reply: Reply) => void,
): Promise<void> {
  let left = TIMES;
  const lane = async () => {
    while (left-- > 0) check(await callBytes(url, wire, 'Generate', message, headers));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  hangUp(url);
}

// Made before an attack: the other caller lives in this process too.
const BOMB = gzipSync(Buffer.alloc(200_000_000), { level: 9 });
const NESTED_JSON = Buffer.from(
  `{"scope":"play","elementType":1,"elementId":1,"content":${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}}`,
);
const NESTED_BYTES = nestedBytes();

test('gzip bombs', () =>
  attacked(async (target) => {
    const tooLarge = ({ code }: Reply) => expect(code).toBe('RESOURCE_EXHAUSTED');
    await flood(target, 'connect-json', BOMB, { 'content-encoding': 'gzip' }, tooLarge);
    await flood(target, 'connect-binary', BOMB, { 'content-encoding': 'gzip' }, tooLarge);
    for (let time = 0; time < TIMES; time++) {
      const headers = { 'content-type': 'application/grpc-web+proto', 'grpc-encoding': 'gzip' };
      const answer = await fetch(`${target.url}/fountain.sequence.v1.SequenceService/Generate`, {
        method: 'POST',
        headers: { ...headers, connection: 'close' },
        body: frame(BOMB, 1),
      });
      expect(Buffer.from(await answer.arrayBuffer()).toString()).toContain('grpc-status: 8');
    }
  }, TIMEOUTS));

test(`a Struct that is nested ${DEPTH} deep`, () =>
  attacked(async (target) => {
    const invalid = ({ code }: Reply) => expect(code).toBe('INVALID_ARGUMENT');
    await flood(target, 'connect-json', NESTED_JSON, {}, invalid);
    for (const wire of ['connect-binary', 'grpc', 'grpc-web'] as const)
      await flood(target, wire, NESTED_BYTES, {}, invalid);
  }, TIMEOUTS));

function nestedBytes(): Uint8Array {
  let value = valueBytes.number(1);
  for (let depth = 0; depth < DEPTH; depth++) value = valueBytes.struct(structBytes(['a', value]));
  return generateBytes({ content: structBytes(['a', value]) });
}
