import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fromBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel,
} from '@bufbuild/protobuf/wkt';

const ROOT = new URL('../..', import.meta.url).pathname;
const FOLDER = 'fountain/sequence/v1/';

/** A commented thing of the contract. */
export interface Commented {
  readonly name: string;
  readonly comment: string;
}

export interface ContractMessage extends Commented {
  /** Fields and oneofs, by the names that the contract gives them. */
  readonly members: readonly Commented[];
}

export interface ContractMethod extends Commented {
  readonly service: string;
  readonly input: string;
  readonly hasNoSideEffects: boolean;
}

/** What the .proto files say, comments and all, as `buf` reads it: nothing of `gen/` is between. */
export interface Contract {
  readonly text: string;
  readonly messages: readonly ContractMessage[];
  readonly methods: readonly ContractMethod[];
}

export function readContract(): Contract {
  const image = execFileSync(`${ROOT}node_modules/.bin/buf`, ['build', '-o', '-#format=bin'], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  });
  const files = fromBinary(FileDescriptorSetSchema, image).file.filter(({ name }) => name.startsWith(FOLDER));
  const parts = files.map(readFile);
  return {
    text: parts.map(({ text }) => text).join('\n'),
    messages: parts.flatMap(({ messages }) => messages),
    methods: parts.flatMap(({ methods }) => methods),
  };
}

function readFile(file: FileDescriptorProto): Contract {
  const comments = commentsOf(file);
  const messages: ContractMessage[] = [];
  const collect = (message: DescriptorProto, path: readonly number[], prefix: string) => {
    const name = prefix + message.name;
    const members = [
      ...message.field.map((field, i) => ({ name: field.name, comment: comments([...path, 2, i]) })),
      ...message.oneofDecl.map((oneof, i) => ({ name: oneof.name, comment: comments([...path, 8, i]) })),
    ].filter(({ name: member }) => !member.startsWith('_'));
    messages.push({ name, comment: comments(path), members });
    for (const [i, nested] of message.nestedType.entries()) collect(nested, [...path, 3, i], `${name}.`);
  };
  for (const [i, message] of file.messageType.entries()) collect(message, [4, i], '');
  const [service] = file.service;
  const methods = service!.method.map((method, i) => ({
    name: method.name,
    service: service!.name,
    comment: comments([6, 0, 2, i]),
    input: method.inputType.slice(method.inputType.lastIndexOf('.') + 1),
    hasNoSideEffects: method.options?.idempotencyLevel === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
  }));
  return { text: readFileSync(`${ROOT}proto/${file.name}`, 'utf8'), messages, methods };
}

function commentsOf(file: FileDescriptorProto): (path: readonly number[]) => string {
  const byPath = new Map(
    file.sourceCodeInfo!.location.map(({ path, leadingComments }) => [path.join(), leadingComments]),
  );
  return (path) => byPath.get(path.join()) ?? '';
}
