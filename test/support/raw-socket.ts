import { connect } from 'node:net';

/** Sends bytes as they are and resolves with all that comes back until the server closes. */
export async function rawExchange(port: number, bytes: string | Uint8Array): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.on('error', reject);
  socket.on('close', () => resolve(answer));
  socket.write(bytes);
  socket.setTimeout(5_000, () => reject(new Error(`no end after ${answer}`)));
  return await promise;
}
