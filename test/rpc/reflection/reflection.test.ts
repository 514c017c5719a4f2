import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import { promisify } from 'node:util';
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerReflection } from '../../../gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { Health } from '../../../gen/health/v1/health_pb.js';
import { DescriptorIndex, registerReflection } from '../../../src/rpc/reflection/index.ts';
import { Draw, detailsFile } from './fixture.ts';
import { type Answer, converse, reflectionClient, type Version } from './grpc-client.ts';

// Draw is not generated code, so its types are not known here.
const draw = {
  draw: ({ shape }: { shape: { name: string } }) => ({ picture: `a ${shape.name}` }),
};

const sessions = new Set<http2.ServerHttp2Session>();
const server = http2.createServer(
  connectNodeAdapter({
    routes(router) {
      router.service(Draw, draw as never);
      registerReflection(router, [Draw, Health, ServerReflection, ServerReflectionAlpha], [detailsFile]);
    },
  }),
);
server.on('session', (session) => sessions.add(session.once('close', () => sessions.delete(session))));
let port: number;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
});

afterAll(async () => {
  for (const session of sessions) session.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const served = [
  'fixture.Draw',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];
const shapes = ['shapes.proto', 'colours.proto', 'google/protobuf/timestamp.proto'];
const colours = shapes.slice(1);
const reflectionFile = (version: Version) => [`grpc/reflection/${version}/reflection.proto`];

/** The names of the files in an answer, in its order; they are seen to be complete and well-formed. */
function files(answer: Answer | undefined): string[] {
  const protos = (answer?.file_descriptor_response?.file_descriptor_proto ?? []).map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
  createFileRegistry(create(FileDescriptorSetSchema, { file: protos.toReversed() }));
  return protos.map((proto) => proto.name);
}

describe.each(['v1', 'v1alpha'] as const)('reflection %s, over gRPC', (version) => {
  const client = () => reflectionClient(version, port);
  const ask = async (...requests: object[]) => {
    const stub = client();
    try {
      return await converse(stub, requests);
    } finally {
      stub.close();
    }
  };
  const symbol = async (name: string) => (await ask({ file_containing_symbol: name }))[0];

  test('list_services has the services that were registered, and no others', async () => {
    const [answer] = await ask({ list_services: '*' });
    expect(answer!.list_services_response).toEqual({ service: served.map((name) => ({ name })) });
  });

  test('file_by_filename gives the file, then all that it imports', async () => {
    const names = [...shapes, 'details.proto', 'health/v1/health.proto', ...reflectionFile(version)];
    const answers = await ask(...names.map((name) => ({ file_by_filename: name })));
    expect(answers.map(files)).toEqual([
      shapes,
      colours,
      ['google/protobuf/timestamp.proto'],
      ['details.proto'],
      ['health/v1/health.proto'],
      reflectionFile(version),
    ]);
  });

  test.each([
    ['a service', 'fixture.Draw', shapes],
    ['a method', 'fixture.Draw.Draw', shapes],
    ['a message', 'fixture.Shape', shapes],
    ['a field', 'fixture.Shape.name', shapes],
    ['a oneof', 'fixture.Shape.size', shapes],
    ['a field in a oneof', 'fixture.Shape.radius', shapes],
    ['a map entry', 'fixture.Shape.PaintedEntry', shapes],
    ['a nested message', 'fixture.Shape.Corner', shapes],
    ['a field of it', 'fixture.Shape.Corner.x', shapes],
    ['a nested enum', 'fixture.Shape.Corner.Kind', shapes],
    ['a value of it', 'fixture.Shape.Corner.ROUND', shapes],
    ['an extension', 'fixture.glossy', shapes],
    ['a nested extension', 'fixture.Shape.drawn_with', shapes],
    ['a message of an imported file', 'fixture.Paint', colours],
    ['an enum', 'fixture.Colour', colours],
    ['an enum value', 'fixture.BLUE', colours],
    ['a well-known type', 'google.protobuf.Timestamp.nanos', ['google/protobuf/timestamp.proto']],
    ['a message in no package', 'Detail.reason', ['details.proto']],
    ['the oneof of an optional field', 'Detail._reason', ['details.proto']],
    ['the health service', 'grpc.health.v1.Health.Watch', ['health/v1/health.proto']],
  ])('file_containing_symbol finds %s', async (_, name, expected) => {
    expect(files(await symbol(name))).toEqual(expected);
  });

  test('file_containing_extension and all_extension_numbers_of_type', async () => {
    const extension = (containing_type: string, extension_number: number) => ({
      file_containing_extension: { containing_type, extension_number },
    });
    const answers = await ask(
      extension('fixture.Paint', 100),
      extension('fixture.Paint', 101),
      { all_extension_numbers_of_type: 'fixture.Paint' },
      { all_extension_numbers_of_type: 'fixture.Shape' },
      extension('fixture.Paint', 102),
      extension('fixture.Shape', 100),
      extension('fixture.Nothing', 100),
      { all_extension_numbers_of_type: 'fixture.Nothing' },
      { all_extension_numbers_of_type: 'fixture.Colour' },
    );
    expect(answers.slice(0, 2).map(files)).toEqual([shapes, shapes]);
    expect(answers[2]!.all_extension_numbers_response).toEqual({
      base_type_name: 'fixture.Paint',
      extension_number: [100, 101],
    });
    expect(answers[3]!.all_extension_numbers_response).toEqual({ base_type_name: 'fixture.Shape' });
    const codes = answers.slice(4).map((answer) => answer.error_response?.error_code);
    expect(codes).toEqual(Array(5).fill(grpc.status.NOT_FOUND));
  });

  test('what is unknown is NOT_FOUND in the stream, which goes on', async () => {
    const garbage = [
      ...[
        '',
        '.',
        'fixture',
        'fixture.',
        '.fixture.Shape',
        'fixture.Shape.',
        'fixture.shape',
        'fixture.Shape.Nothing',
      ],
      ...[
        'fixture.Colour.BLUE',
        '__proto__',
        'constructor',
        '\0',
        '../../etc/passwd',
        '\u{1f600}',
        'x'.repeat(100_000),
      ],
    ];
    const requests = garbage.flatMap((name) => [
      { file_containing_symbol: name },
      { file_by_filename: name },
      { all_extension_numbers_of_type: name },
      { file_containing_extension: { containing_type: name, extension_number: -1 } },
    ]);
    const answers = await ask(...requests, { file_containing_symbol: 'fixture.Shape' });
    expect(answers).toHaveLength(requests.length + 1);
    expect(files(answers.pop())).toEqual(shapes);
    for (const [n, answer] of answers.entries()) {
      expect(answer, JSON.stringify(requests[n]).slice(0, 100)).toMatchObject({
        message_response: 'error_response',
        error_response: { error_code: grpc.status.NOT_FOUND },
      });
    }
  });

  test('a request of no known kind is UNIMPLEMENTED in the stream', async () => {
    const [answer, next] = await ask({}, { list_services: '' });
    expect(answer!.error_response!.error_code).toBe(grpc.status.UNIMPLEMENTED);
    expect(next!.message_response).toBe('list_services_response');
  });

  test('host and request are echoed, found or not', async () => {
    const requests = [
      { host: 'sequence.example', file_containing_symbol: 'fixture.Shape' },
      {
        host: 'other.example',
        file_containing_extension: { containing_type: 'no.Such', extension_number: 7 },
      },
      { file_by_filename: 'no-such.proto' },
    ];
    const answers = await ask(...requests);
    expect(answers.map((answer) => answer.original_request)).toMatchObject(requests);
    expect(answers.map((answer) => answer.valid_host ?? '')).toEqual([
      'sequence.example',
      'other.example',
      '',
    ]);
  });

  test('each request is answered before the next is sent, and after it the same', async () => {
    const stub = client();
    const call = stub.serverReflectionInfo();
    try {
      for (const _ of [1, 2, 3]) {
        call.write({ file_by_filename: 'shapes.proto' });
        const [answer] = await once(call, 'data');
        expect(files(answer)).toEqual(shapes);
      }
      call.end();
      const [status] = await once(call, 'status');
      expect(status.code).toBe(grpc.status.OK);
    } finally {
      stub.close();
    }
  });

  test('a stream that is held open does not outstay its deadline', async () => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    try {
      const stream = session.request({
        ':method': 'POST',
        ':path': `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': '50m',
      });
      stream.resume();
      const [headers] = await Promise.race([once(stream, 'trailers'), once(stream, 'response')]);
      const status = headers['grpc-status'] ?? (await once(stream, 'trailers'))[0]['grpc-status'];
      expect(Number(status)).toBe(grpc.status.DEADLINE_EXCEEDED);
    } finally {
      session.destroy();
    }
  });

  test('buf curl lists services and methods, and calls a method that it knows only from here', async () => {
    const curl = async (path: string, ...args: string[]) => {
      const all = [
        'curl',
        '--http2-prior-knowledge',
        '--protocol=grpc',
        '--reflect',
        `--reflect-protocol=grpc-${version}`,
      ];
      const buf = promisify(execFile);
      const { stdout } = await buf('node_modules/.bin/buf', [
        ...all,
        ...args,
        `http://127.0.0.1:${port}${path}`,
      ]);
      return stdout;
    };
    const [services, methods, picture] = await Promise.all([
      curl('', '--list-services'),
      curl('', '--list-methods'),
      curl('/fixture.Draw/Draw', '--data', '{"shape":{"name":"square","corners":[{"kind":"ROUND"}]}}'),
    ]);
    expect(services.trim().split('\n')).toEqual(served);
    expect(methods.trim().split('\n')).toEqual([
      'fixture.Draw/Draw',
      'grpc.health.v1.Health/Check',
      'grpc.health.v1.Health/List',
      'grpc.health.v1.Health/Watch',
      'grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    ]);
    expect(JSON.parse(picture)).toEqual({ picture: 'a square' });
  });
});

test('a file is serialised once, and again only as the same bytes', () => {
  const index = new DescriptorIndex([Draw.file]);
  const [first, again] = [index.serialize(Draw.file), index.serialize(index.fileByName('colours.proto')!)];
  expect(again[0]).toBe(first[1]);
});
