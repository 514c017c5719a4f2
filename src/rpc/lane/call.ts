import { create, type DescMethodUnary, type DescService, type Message } from '@bufbuild/protobuf';
import type { ContextValues, HandlerContext, Interceptor, UnaryRequest } from '@connectrpc/connect';
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
    const { service, method, responseHeader, responseTrailer } = this;
    const own = new LaneRequest(this, message);
    let next: AnyFn = async (request) => ({
      stream: false,
      service,
      method,
      header: responseHeader,
      trailer: responseTrailer,
      message: create(
        method.output,
        await this.#implement(request.message as Message, request === own ? this : this.#contextOf(request)),
      ),
    });
    for (let i = interceptors.length - 1; i >= 0; i--) next = interceptors[i]!(next);
    const response = await next(own);
    replace(response.header, responseHeader);
    replace(response.trailer, responseTrailer);
    return response.message as Message;
  }

  /** What the implementation is given where an interceptor has put another request in the place of the call's own. */
  #contextOf({ service, header, signal, contextValues }: Parameters<AnyFn>[0]): HandlerContext {
    return {
      service,
      method: this.method,
      requestMethod: this.requestMethod,
      protocolName: this.protocolName,
      url: this.url,
      signal,
      timeoutMs: this.timeoutMs,
      requestHeader: header,
      responseHeader: this.responseHeader,
      responseTrailer: this.responseTrailer,
      values: contextValues,
    };
  }
}

/** A call as interceptors see it. */
class LaneRequest implements UnaryRequest {
  readonly stream = false;
  readonly service: DescService;
  readonly method: DescMethodUnary;
  readonly requestMethod: string;
  readonly url: string;
  readonly header: Headers;
  readonly contextValues: ContextValues;
  readonly message: Message;
  declare readonly signal: AbortSignal;
  readonly #call: Call;

  constructor(call: Call, message: Message) {
    this.service = call.service;
    this.method = call.method;
    this.requestMethod = call.requestMethod;
    this.url = call.url;
    this.header = call.requestHeader;
    this.contextValues = call.values;
    this.message = message;
    this.#call = call;
    Object.defineProperty(this, 'signal', LaneRequest.#SIGNAL);
  }

  // Made when it is asked for. Its own property, so that a copy has it; one descriptor, since with a function for each
  // request each would have a hidden class to itself.
  static readonly #SIGNAL: PropertyDescriptor & ThisType<LaneRequest> = {
    enumerable: true,
    get() {
      return this.#call.signal;
    },
  };
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
