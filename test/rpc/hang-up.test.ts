import { once } from 'node:events';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { fromJsonString, toBinary } from '@bufbuild/protobuf';
import { expect, onTestFinished, test } from 'vitest';
import { GenerateRequestSchema } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { startApp } from '../support/app.ts';
import { h2Caller } from '../support/caller.ts';
import { capturedLog } from '../support/log-lines.ts';
import { openSqlite } from '../support/sqlite.ts';
import { until } from '../support/until.ts';
import { frame } from '../support/wire.ts';

const GENERATE = '/fountain.sequence.v1.SequenceService/Generate';
const BODY = JSON.stringify({ scope: 'play', elementType: 'ELEMENT_TYPE_SECTION', elementId: 1 });

test('an HTTP/1.1 client that hangs up in the middle of its call has cancelled it, which is no fault of ours', async () => {
  const { log, lines } = capturedLog();
  const { port, file } = await startApp({}, { log });
  // The write waits for this lock.
  const holder = await openSqlite(file);
  await holder.run('BEGIN IMMEDIATE');
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(
    `POST ${GENERATE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
  );
  // Another call that was sent after it is answered: it has arrived.
  await h2Caller(port)('GetSequence', { scope: 'play', elementType: 'ELEMENT_TYPE_SECTION' });
  socket.destroy();
  const line = await until('it has ended', () =>
    lines.find(({ method }) => String(method).endsWith('/Generate')),
  );
  await holder.run('ROLLBACK');
  expect(line).toMatchObject({ level: 'info', msg: 'rpc', code: 'CANCELLED' });
  expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
});

const {
  NGHTTP2_NO_ERROR,
  NGHTTP2_INTERNAL_ERROR,
  NGHTTP2_REFUSED_STREAM,
  NGHTTP2_CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM,
} = http2.constants;

test.for([
  ['application/json', NGHTTP2_NO_ERROR],
  ['application/json', NGHTTP2_CANCEL],
  ['application/grpc', NGHTTP2_NO_ERROR],
  ['application/grpc', NGHTTP2_CANCEL],
  ['application/grpc', NGHTTP2_INTERNAL_ERROR],
  ['application/grpc', NGHTTP2_REFUSED_STREAM],
  ['application/grpc', NGHTTP2_ENHANCE_YOUR_CALM],
  ['application/json', 'disconnects'],
  ['application/grpc', 'disconnects'],
  ['application/grpc-web+proto', NGHTTP2_CANCEL],
] as const)('so has an HTTP/2 client of %s that resets its stream: %s', async ([contentType, how]) => {
  const { log, lines } = capturedLog();
  const { port, file } = await startApp({}, { log });
  const holder = await openSqlite(file);
  await holder.run('BEGIN IMMEDIATE');
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const session = http2.connect('http://sequence.test', { createConnection: () => socket });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': GENERATE, 'content-type': contentType });
  stream.on('error', () => {});
  const message = toBinary(GenerateRequestSchema, fromJsonString(GenerateRequestSchema, BODY));
  stream.end(contentType === 'application/json' ? BODY : frame(message));
  // What was sent before it over the same connection has arrived when this is answered.
  const later = session.request({
    ':method': 'POST',
    ':path': GENERATE.replace('Generate', 'GetSequence'),
    'content-type': 'application/json',
  });
  later.end('{"scope":"play","elementType":"ELEMENT_TYPE_SECTION"}');
  later.resume();
  await once(later, 'close');
  if (how === 'disconnects') socket.resetAndDestroy();
  else stream.close(how);
  const line = await until('it has ended', () =>
    lines.find(({ method }) => String(method).endsWith('/Generate')),
  );
  await holder.run('ROLLBACK');
  expect(line).toMatchObject({ level: 'info', msg: 'rpc', code: 'CANCELLED' });
  expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
});
