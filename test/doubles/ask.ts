import http from 'node:http';

export interface Asked {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Options {
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** One request on a connection of its own; rejects when the answer does not come whole. */
export function ask(url: string, method: string, path: string, options: Options = {}): Promise<Asked> {
  const { body, headers = {}, signal } = options;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = http.request(`${url}${path}`, {
      method,
      agent: false,
      headers: { ...length, ...headers },
      ...(signal && { signal }),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: text }),
      );
    });
    request.end(body);
  });
}

/** The `message` of an error body, whatever the blanks in it. */
export function messageOf({ body }: Asked): string {
  return (JSON.parse(body) as { message: string }).message;
}

/** `code`, or the message, of whatever a call rejects with. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
  return 'no failure';
}
