import http from 'node:http';
import http2 from 'node:http2';
import { onTestFinished } from 'vitest';

/** An answer in Connect's JSON, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Sends a request of SequenceService as Connect JSON; rejects where the connection fails. */
export type Caller = (method: string, body: object, correlationId?: string) => Promise<Answer>;

const PATH = '/fountain.sequence.v1.SequenceService/';

/** Calls over HTTP/1.1 with connections that are kept alive, as many as there are calls at a time; `more` are headers. */
export function h1Caller(port: number, more: Record<string, string> = {}): Caller {
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return (method, body, correlationId = 'test') =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'x-request-id': correlationId, ...more };
      const request = http.request(
        { host: '127.0.0.1', port, path: PATH + method, method: 'POST', agent, headers },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve(answer(response.statusCode, text)));
          response.on('error', reject);
          response.on('close', () => reject(new Error('cut off in the answer')));
        },
      );
      request.on('error', reject);
      request.end(JSON.stringify(body));
    });
}

/** Calls over one HTTP/2 connection. */
export function h2Caller(port: number, more: Record<string, string> = {}): Caller {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return (method, body, correlationId = 'test') =>
    new Promise((resolve, reject) => {
      if (session.closed || session.destroyed) throw new Error('the connection is closed');
      const stream = session.request({
        ':method': 'POST',
        ':path': PATH + method,
        'content-type': 'application/json',
        'x-request-id': correlationId,
        ...more,
      });
      let status: number | undefined;
      let text = '';
      stream.setEncoding('utf8');
      stream.on('response', (headers) => {
        status = headers[':status'];
      });
      stream.on('data', (chunk) => {
        text += chunk;
      });
      stream.on('end', () => status !== undefined && resolve(answer(status, text)));
      stream.on('error', reject);
      stream.on('close', () => reject(new Error('the stream ended without an answer')));
      stream.end(JSON.stringify(body));
    });
}

function answer(status: number | undefined, text: string): Answer {
  return { status: status ?? 0, body: text === '' ? {} : JSON.parse(text) };
}

/** The status of a GET on a connection of its own; rejects where there is none. */
export function get(port: number, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
