import { create, fromJsonString, toBinary } from '@bufbuild/protobuf';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { HealthCheckRequestSchema } from '../../gen/health/v1/health_pb.js';
import { CALLS, type CallName } from './calls.ts';

/** What a template is filled with. */
export interface Numbers {
  readonly scope: string;
  /** 1: the scope itself; more: scope-0, scope-1, … in turn. */
  readonly sequences: number;
  /** The first fresh id. */
  readonly firstId: number;
  readonly elements: number;
}

/** Makes one body after another. */
export function jsonBodies(name: CallName, numbers: Numbers): () => string {
  const parts = CALLS[name].template.split(/(\{(?:scope|fresh|existing|last)\})/);
  const fill = filler(numbers);
  return () => {
    fill.next();
    return parts.map((part) => fill.value(part)).join('');
  };
}

/** The same as gRPC messages, with their prefix of five bytes. */
export function grpcBodies(name: CallName, numbers: Numbers): () => Buffer {
  if (name === 'empty')
    return () => framed(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema)));
  const method = SequenceService.methods.find(({ name: each }) => CALLS[name].path.endsWith(`/${each}`))!;
  const key = /,"elementId":"(\{\w+\})"/.exec(CALLS[name].template)?.[1];
  const rest = CALLS[name].template.replace(/,"elementId":"\{\w+\}"/, '');
  if (key !== undefined && !/\{(fresh|existing|last)\}/.test(rest)) {
    // All but the id is made once: a generator that is slower than the service measures itself.
    const heads = scopes(numbers).map((scope) =>
      toBinary(method.input, fromJsonString(method.input, rest.replace('{scope}', scope))),
    );
    const fill = filler(numbers);
    let turn = 0;
    return () => {
      fill.next();
      return framed(heads[turn++ % heads.length]!, elementId(Number(fill.value(key))));
    };
  }
  const json = jsonBodies(name, numbers);
  return () => framed(toBinary(method.input, fromJsonString(method.input, json())));
}

function scopes({ scope, sequences }: Numbers): string[] {
  return sequences === 1 ? [scope] : Array.from({ length: sequences }, (_, index) => `${scope}-${index}`);
}

function filler(numbers: Numbers) {
  const names = scopes(numbers);
  let turn = -1;
  let fresh = numbers.firstId;
  let last = numbers.elements;
  return {
    next() {
      turn += 1;
    },
    value(part: string): string {
      if (part === '{scope}') return names[turn % names.length]!;
      if (part === '{fresh}') return String(fresh++);
      if (part === '{existing}') return String(1 + Math.floor(Math.random() * numbers.elements));
      if (part === '{last}') return String(last--);
      return part;
    },
  };
}

/** Field 3, which is the element's id in every request that has one. */
function elementId(id: number): Buffer {
  const bytes = [0x18];
  for (let rest = id; ; ) {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
    if (rest === 0) return Buffer.from(bytes);
  }
}

function framed(...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = Buffer.allocUnsafe(5 + length);
  frame[0] = 0;
  frame.writeUInt32BE(length, 1);
  let at = 5;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}
