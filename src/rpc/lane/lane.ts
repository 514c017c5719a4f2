import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Message } from '@bufbuild/protobuf';
import {
  type Compression,
  compressionNegotiate,
  createMethodSerializationLookup,
  createMethodUrl,
} from '@connectrpc/connect/protocol';
import { Answers, type Outcome } from './answer.ts';
import { readMessage } from './body.ts';
import { Call, fieldsOf } from './call.ts';
import { type Exchange, Http1Exchange, Http2Exchange } from './exchange.ts';
import { readHead } from './head.ts';
import type { UnaryMethod } from './methods.ts';
import type { Http2Request, LaneOptions } from './options.ts';

/** Both return whether the request is the lane's to answer from now on; if not, nothing has been done to it. */
export interface Lane {
  takeHttp1(request: IncomingMessage, response: ServerResponse): boolean;
  takeHttp2(request: Http2Request): boolean;
}

/** Makes a lane. */
export function createLane(options: LaneOptions): Lane {
  return new UnaryLane(options);
}

/** A method with its path, and what reads its messages. */
interface Route {
  readonly path: string;
  readonly method: UnaryMethod;
  parse(binary: boolean, bytes: Uint8Array): Message;
}

/** Negotiations that are remembered: clients of one kind send one value. */
const MAX_REMEMBERED = 64;

class UnaryLane implements Lane {
  readonly #options: LaneOptions;
  readonly #answers: Answers;
  readonly #routes: ReadonlyMap<string | undefined, Route>;
  readonly #compressions = new Map<string, Compression | null>();

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#answers = new Answers(options);
    this.#routes = new Map(
      options.methods.map((method) => {
        const path = createMethodUrl('/', method.method);
        const limits = { readMaxBytes: options.readMaxBytes, writeMaxBytes: 0xffffffff };
        const lookup = createMethodSerializationLookup(method.method, undefined, options.jsonOptions, limits);
        const parse = (binary: boolean, bytes: Uint8Array) => lookup.getI(binary).parse(bytes);
        return [path, { path, method, parse }];
      }),
    );
  }

  takeHttp1(request: IncomingMessage, response: ServerResponse): boolean {
    const route = request.method === 'POST' ? this.#routes.get(request.url) : undefined;
    if (route === undefined) return false;
    const { headers } = request;
    return this.#take(
      route,
      headers,
      false,
      () => new Http1Exchange(request, response, this.#options.fallback),
    );
  }

  takeHttp2(request: Http2Request): boolean {
    const { stream, headers } = request;
    const route = headers[':method'] === 'POST' ? this.#routes.get(headers[':path']) : undefined;
    const isPlain =
      headers[':authority'] !== undefined &&
      headers['expect'] === undefined &&
      !stream.endAfterHeaders &&
      stream.session !== undefined;
    if (route === undefined || !isPlain) return false;
    return this.#take(route, headers, true, () => new Http2Exchange(request, this.#options.fallback));
  }

  #take(route: Route, headers: IncomingHttpHeaders, isHttp2: boolean, open: () => Exchange): boolean {
    const options = this.#options;
    const head = readHead(headers, options);
    if (head === undefined || (head.format.protocol === 'grpc' && !isHttp2)) return false;
    const exchange = open();
    const call = new Call({
      method: route.method,
      format: head.format,
      timeoutMs: head.timeoutMs,
      header: headers,
      trailer: head.format.protocol === 'grpc' ? fieldsOf('grpc-status', '0') : Object.create(null),
      values: options.contextValues(exchange),
      url: exchange.url,
    });
    try {
      options.requestGate?.(call);
    } catch {
      // It will throw again in the stock adapter, which answers what it throws.
      return false;
    }
    let state: 'reading' | 'running' | 'over' = 'reading';
    const stop = readMessage(exchange.source, head, options.readMaxBytes, {
      onMessage: (bytes) => {
        let message: Message;
        try {
          message = route.parse(head.format.binary, bytes);
        } catch {
          // The stock adapter decodes it once more, and answers what is wrong with it.
          return false;
        }
        state = 'running';
        options.onTaken?.();
        this.#run(call, exchange, message, () => state === 'running').catch((error: unknown) => {
          options.onError(error, route.path);
          exchange.destroy();
        });
        return true;
      },
      onHandOver: (unread) => {
        state = 'over';
        exchange.handOver(unread);
      },
    });
    exchange.onClose(() => {
      if (state === 'reading') {
        stop();
        options.onGone(route.path, call.values);
      } else if (state === 'running') call.cancellation.leave();
      state = 'over';
    });
    return true;
  }

  async #run(call: Call, exchange: Exchange, message: Message, isOpen: () => boolean): Promise<void> {
    let outcome: Outcome;
    try {
      outcome = { message: await call.invoke(message, this.#options.interceptors) };
    } catch (error) {
      outcome = { error };
    }
    call.cancellation.end();
    const compression = this.#compression(call);
    const made = this.#answers[call.format.protocol](call, outcome, compression);
    const answer = made instanceof Promise ? await made : made;
    if (isOpen()) exchange.send(answer);
  }

  #compression({ format, requestHeader }: Call): Compression | null {
    const accepted = requestHeader.get(
      format.protocol === 'grpc' ? 'grpc-accept-encoding' : 'accept-encoding',
    );
    if (accepted === null || accepted === '') return null;
    let compression = this.#compressions.get(accepted);
    if (compression === undefined) {
      compression = compressionNegotiate([...this.#options.acceptCompression], null, accepted, '').response;
      if (this.#compressions.size < MAX_REMEMBERED) this.#compressions.set(accepted, compression);
    }
    return compression;
  }
}
