import { create, type DescMethodUnary, type DescService, type Message } from '@bufbuild/protobuf';
import type { ContextValues, HandlerContext, Interceptor } from '@connectrpc/connect';
import { Cancellation } from './cancellation.ts';
import type { Format } from './head.ts';
import { type HeaderRecord, LaneHeaders } from './headers.ts';
import type { UnaryMethod } from './methods.ts';

type AnyFn = ReturnType<Interceptor>;

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

/** One call, from its headers to its answer. It is the context of the request gate. */
export class Call implements HandlerContext {
  readonly format: Format;
  readonly service: DescService;
  readonly method: DescMethodUnary;
  readonly requestMethod = 'POST';
  readonly protocolName: string;
  readonly requestHeader: LaneHeaders;
  readonly responseHeader: LaneHeaders;
  readonly responseTrailer: LaneHeaders;
  readonly values: ContextValues;
  readonly cancellation: Cancellation;
  /** Milliseconds that are left. */
  readonly timeoutMs: () => number;
  readonly #implement: UnaryMethod['impl'];
  readonly #url: () => string;

  constructor({ method, format, timeoutMs, header, trailer, values, url }: CallInit) {
    this.format = format;
    this.service = method.method.parent;
    this.method = method.method;
    this.protocolName = format.protocol;
    this.requestHeader = new LaneHeaders(header, true);
    this.responseHeader = new LaneHeaders(fieldsOf('content-type', format.contentType), false);
    this.responseTrailer = new LaneHeaders(trailer, false);
    this.values = values;
    this.#implement = method.impl;
    this.#url = url;
    const endsAt = Math.trunc(Date.now() + timeoutMs);
    this.timeoutMs = () => endsAt - Date.now();
    this.cancellation = new Cancellation(endsAt);
  }

  get url(): string {
    return this.#url();
  }

  get signal(): AbortSignal {
    return this.cancellation.signal;
  }

  /** Runs the interceptors, outermost first, and the implementation. */
  async invoke(message: Message, interceptors: readonly Interceptor[]): Promise<Message> {
    const call = this;
    const { service, method, requestMethod, responseHeader, responseTrailer } = this;
    let next: AnyFn = async (request) => ({
      stream: false,
      service,
      method,
      header: responseHeader,
      trailer: responseTrailer,
      message: create(
        method.output,
        await this.#implement(request.message as Message, this.#contextOf(request)),
      ),
    });
    for (let i = interceptors.length - 1; i >= 0; i--) next = interceptors[i]!(next);
    const response = await next({
      stream: false,
      service,
      method,
      requestMethod,
      // Made when they are asked for, or when the request is copied.
      get url() {
        return call.url;
      },
      get signal() {
        return call.signal;
      },
      header: this.requestHeader,
      contextValues: this.values,
      message,
    });
    replace(response.header, responseHeader);
    replace(response.trailer, responseTrailer);
    return response.message as Message;
  }

  /** What the implementation is given: the call, as the interceptors have left its request. */
  #contextOf(request: Parameters<AnyFn>[0]): HandlerContext {
    const { service, header, contextValues } = request;
    return {
      service,
      method: this.method,
      requestMethod: this.requestMethod,
      protocolName: this.protocolName,
      get url() {
        return request.url;
      },
      get signal() {
        return request.signal;
      },
      timeoutMs: this.timeoutMs,
      requestHeader: header,
      responseHeader: this.responseHeader,
      responseTrailer: this.responseTrailer,
      values: contextValues,
    };
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
