import type { Dispatcher } from 'undici';

/** What is posted. */
export interface HttpPost {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/**
 * Posts over a kept-alive connection and collects the answer's text; gives it up where it is longer than `maxBytes`,
 * and when the signal is aborted, at once. By undici's handlers: its `request()` makes a stream of each answer, which
 * costs as much again as the rest of the call.
 *
 * @throws what undici reports; the signal's reason
 */
export function httpPost(
  dispatcher: Dispatcher,
  post: HttpPost,
  maxBytes: number,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  let controller: Dispatcher.DispatchController | undefined;
  let status = 0;
  let retryAfter: string | undefined;
  let bytes = 0;
  const chunks: Buffer[] = [];
  const abort = () => {
    controller?.abort(signal.reason);
    // It may still wait for its connection, and has no controller then.
    fail(signal.reason);
  };
  const fail = (error: unknown) => {
    signal.removeEventListener('abort', abort);
    reject(error);
  };
  signal.throwIfAborted();
  signal.addEventListener('abort', abort, { once: true });
  const started = (one: Dispatcher.DispatchController) => {
    controller = one;
    if (signal.aborted) one.abort(signal.reason);
  };
  try {
    dispatcher.dispatch(
      { ...post, method: 'POST' },
      {
        onRequestStart: started,
        onResponseStart(_controller, code, headers) {
          status = code;
          const after = headers['retry-after'];
          retryAfter = Array.isArray(after) ? after[0] : after;
        },
        onResponseData(one, chunk) {
          bytes += chunk.length;
          if (bytes > maxBytes) one.abort(new Error(`the answer is longer than ${maxBytes} bytes`));
          else chunks.push(chunk);
        },
        onResponseEnd() {
          signal.removeEventListener('abort', abort);
          const text = (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString();
          resolve({ status, retryAfter, text });
        },
        onResponseError: (_controller, error) => fail(error),
      },
    );
  } catch (error) {
    fail(error);
  }
  return promise;
}
