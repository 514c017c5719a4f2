import { create, type Message } from '@bufbuild/protobuf';
import type { ContextValues, HandlerContext, Interceptor } from '@connectrpc/connect';
import { Cancellation } from './cancellation.ts';
import type { Format } from './head.ts';
import { type HeaderRecord, LaneHeaders } from './headers.ts';
import type { UnaryMethod } from './methods.ts';

type AnyFn = ReturnType<Interceptor>;
type UnaryRequest = Extract<Parameters<AnyFn>[0], { stream: false }>;

/** What a call is made of. */
export interface CallInit {
  readonly method: UnaryMethod;
  readonly format: Format;
  readonly timeoutMs: number;
  readonly header: HeaderRecord;
  readonly trailer: HeaderRecord;
  readonly values: ContextValues;
  /** Makes the URL, when somebody asks for it. */
  readonly url: () => string;
}

/** One call, from its headers to its answer, as interceptors and the implementation see it. */
export class Call {
  readonly method: UnaryMethod;
  readonly format: Format;
  readonly values: ContextValues;
  readonly requestHeader: LaneHeaders;
  readonly responseHeader: LaneHeaders;
  readonly responseTrailer: LaneHeaders;
  readonly cancellation: Cancellation;
  readonly #url: () => string;
  readonly #endsAt: number;

  constructor({ method, format, timeoutMs, header, trailer, values, url }: CallInit) {
    this.method = method;
    this.format = format;
    this.values = values;
    this.requestHeader = new LaneHeaders(header, true);
    this.responseHeader = new LaneHeaders(fieldsOf('content-type', format.contentType), false);
    this.responseTrailer = new LaneHeaders(trailer, false);
    this.#url = url;
    this.#endsAt = Math.trunc(Date.now() + timeoutMs);
    this.cancellation = new Cancellation(this.#endsAt);
  }

  /** What the request gate is given; with a request, what the implementation is given. */
  context(request?: UnaryRequest): HandlerContext {
    const { method, cancellation } = this;
    const url = this.#url;
    const endsAt = this.#endsAt;
    return {
      service: request === undefined ? method.method.parent : request.service,
      method: method.method,
      requestMethod: 'POST',
      protocolName: this.format.protocol,
      get url() {
        return url();
      },
      get signal() {
        return request === undefined ? cancellation.signal : request.signal;
      },
      timeoutMs: () => endsAt - Date.now(),
      requestHeader: request === undefined ? this.requestHeader : request.header,
      responseHeader: this.responseHeader,
      responseTrailer: this.responseTrailer,
      values: request === undefined ? this.values : request.contextValues,
    };
  }

  /** Runs the interceptors, outermost first, and the implementation. */
  async invoke(message: Message, interceptors: readonly Interceptor[]): Promise<Message> {
    const { method, cancellation } = this;
    const service = method.method.parent;
    let next: AnyFn = async (request) => ({
      stream: false,
      service,
      method: method.method,
      header: this.responseHeader,
      trailer: this.responseTrailer,
      message: create(
        method.method.output,
        await method.impl(request.message as Message, this.context(request as UnaryRequest)),
      ),
    });
    for (let i = interceptors.length - 1; i >= 0; i--) next = interceptors[i]!(next);
    const url = this.#url;
    const response = await next({
      stream: false,
      service,
      method: method.method,
      requestMethod: 'POST',
      // Getters of its own, so that an interceptor may copy the request: `{ ...request, message }`.
      get url() {
        return url();
      },
      get signal() {
        return cancellation.signal;
      },
      header: this.requestHeader,
      contextValues: this.values,
      message,
    });
    replace(response.header, this.responseHeader);
    replace(response.trailer, this.responseTrailer);
    return response.message as Message;
  }
}

/** A record without a prototype, of one field. */
export function fieldsOf(name: string, value: string): HeaderRecord {
  const record: HeaderRecord = Object.create(null);
  record[name] = value;
  return record;
}

/** Makes `to` what an interceptor has put in its place. */
function replace(from: Headers, to: Headers): void {
  if (from === to) return;
  for (const name of [...to.keys()]) to.delete(name);
  from.forEach((value, name) => {
    to.set(name, value);
  });
}
