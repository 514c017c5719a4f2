import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { h2Caller } from '../support/caller.ts';
import { capturedLog } from '../support/log-lines.ts';
import { openSqlite } from '../support/sqlite.ts';
import { until } from '../support/until.ts';

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
