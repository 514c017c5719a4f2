import { fromBinary, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { grpcBodies, jsonBodies } from '../../bench/load/bodies.ts';
import { CALLS, type CallName, isConstant } from '../../bench/load/calls.ts';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';

const numbers = { scope: 'bench', sequences: 1, firstId: 300, elements: 1 };
const ours = Object.keys(CALLS).filter((name) => name !== 'empty') as CallName[];

test.each(ours)('%s is the same request in JSON and in binary, both times', (name) => {
  const { input } = SequenceService.methods.find(({ name: each }) => CALLS[name].path.endsWith(`/${each}`))!;
  const [json, grpc] = [jsonBodies(name, numbers), grpcBodies(name, numbers)];
  for (let time = 0; time < 2; time++) {
    const message = grpc();
    expect(message[0]).toBe(0);
    expect(message.readUInt32BE(1)).toBe(message.length - 5);
    const expected = fromJsonString(input, json());
    expect(toJsonString(input, fromBinary(input, message.subarray(5)))).toBe(toJsonString(input, expected));
  }
});

test('fresh ids count up, last ones down, sequences take turns', () => {
  const fresh = jsonBodies('generate', { ...numbers, sequences: 2 });
  expect(
    [fresh(), fresh(), fresh()].map((body) => [JSON.parse(body).scope, JSON.parse(body).elementId]),
  ).toEqual([
    ['bench-0', '300'],
    ['bench-1', '301'],
    ['bench-0', '302'],
  ]);
  const last = jsonBodies('remove', { ...numbers, elements: 9 });
  expect([last(), last()].map((body) => JSON.parse(body).elementId)).toEqual(['9', '8']);
});

test('ids above 2^31 keep all their digits', () => {
  const { input } = SequenceService.method.generate;
  const message = grpcBodies('generate', { ...numbers, firstId: 9_007_199_254_740_991 })();
  expect(toJsonString(input, fromBinary(input, message.subarray(5)))).toContain('"9007199254740991"');
});

test('h2load, which knows one body only, gets calls that are always the same', () => {
  expect(isConstant('empty')).toBe(true);
  expect(isConstant('listElements')).toBe(true);
  expect(isConstant('generate')).toBe(false);
  expect(isConstant('getElement')).toBe(false);
});
