import type { IncomingMessage, ServerResponse } from 'node:http';
import { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Readable } from 'node:stream';
import { Code, type ConnectRouter, createConnectRouter } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import {
  compressionBrotli,
  compressionGzip,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import { SequenceService } from '../../gen/fountain/sequence/v1/sequence_pb.js';
import { SyncService } from '../../gen/fountain/sequence/v1/sync_pb.js';
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.js';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { Health } from '../../gen/health/v1/health_pb.js';
import type { Reader } from '../domain/reader.ts';
import type { SyncControl } from '../domain/sync-control.ts';
import type { Writer } from '../domain/writer.ts';
import type { Logger } from '../log.ts';
import type { RpcMetrics } from '../metrics.ts';
import type { Authenticator } from './auth/index.ts';
import { CALL, SOURCE, valuesFor, valuesOf } from './call.ts';
import { openCall } from './gate.ts';
import { type HealthRegistry, registerHealth } from './health/index.ts';
import { codeName, createInterceptors } from './interceptors.ts';
import { createLane, type Http2Request, recordMethods, type Unread } from './lane/index.ts';
import type { RateLimiter } from './rate-limit.ts';
import { registerReflection } from './reflection/index.ts';
import { createSequenceService } from './sequence-service.ts';
import { sourceOf } from './shedding/held-call.ts';
import { Shedder } from './shedding/shedder.ts';
import { createSyncService } from './sync-service.ts';
import { setTimeoutHeader } from './timeouts.ts';
import { answerWithoutQuote, blameCaller } from './undecodable.ts';
import { universalRequestOf } from './universal-request.ts';

/** What the RPC floor is made of. */
export interface RpcOptions {
  readonly writer: Writer;
  readonly reader: Reader;
  readonly sync: SyncControl;
  readonly health: HealthRegistry;
  readonly metrics: RpcMetrics;
  readonly logger: Logger;
  readonly authenticator: Authenticator;
  /** Whether reflection is for everybody. */
  readonly publicDiagnostics: boolean;
  /** The largest request message, also after decompression; bytes. */
  readonly maxBodyBytes: number;
  /** The deadline of a call that brings none; milliseconds. */
  readonly defaultDeadlineMs: number;
  /** Where there is a limit to the calls of one caller. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** Whether plain unary calls take the lane. */
  readonly lane: boolean;
}

/** Answers RPCs. */
export interface RpcHandler {
  (request: NodeRequest, response: NodeResponse): void;
  /**
   * Takes a request over HTTP/2 before Node wraps it for its compatibility API, if it is one for the lane; false
   * where it is to be wrapped. Undefined without a lane.
   */
  readonly takeHttp2: ((request: Http2Request) => boolean) | undefined;
}

/** A path that is none of ours may be as long as a header section. */
const MAX_LOGGED_PATH = 200;

type NodeRequest = IncomingMessage | Http2ServerRequest;
type NodeResponse = ServerResponse | Http2ServerResponse;

/** Every service that is served. */
export const SERVICES = [SequenceService, SyncService, Health, ServerReflection, ServerReflectionAlpha];

/**
 * Answers RPCs in gRPC, gRPC-web and Connect; what is no RPC of ours gets 404 with an empty body.
 *
 * It is connect-node's `connectNodeAdapter` behind a lane for plain unary calls, with six differences: calls without a
 * deadline get one, calls whose client goes away are CANCELLED, messages that cannot be decoded are INVALID_ARGUMENT,
 * what is refused before a handler is counted, a connection outlives a request that was answered before it was read, and
 * calls beyond what can be answered in time are refused.
 *
 * The listener has refused requests without a usable authority before.
 */
export function createRpcHandler(options: RpcOptions): RpcHandler {
  const { metrics, logger } = options;
  const shedder = new Shedder(options);
  const routerOptions = {
    interceptors: createInterceptors({ ...options, shedder }),
    requestGate: openCall,
    readMaxBytes: options.maxBodyBytes,
    acceptCompression: [compressionGzip, compressionBrotli],
    jsonOptions: { ignoreUnknownFields: false },
  };
  const { router, methods } = recordMethods(createConnectRouter(routerOptions));
  register(router, options);
  const tellsAddress = options.rateLimiter !== undefined;
  const handlers = new Map<string, UniversalHandler>(
    router.handlers.map((handler) => [handler.requestPath, handler]),
  );

  /** Counts and logs a request that the interceptors, which do so for all others, have not seen. */
  function refuse(path: string, reason: string, correlationId?: string): void {
    metrics.refused.inc({ reason });
    logger.info(
      { path: path.slice(0, MAX_LOGGED_PATH), reason, correlation_id: correlationId },
      'rpc refused',
    );
  }

  async function answer(
    handler: UniversalHandler,
    request: NodeRequest,
    response: NodeResponse,
    unread: Unread,
  ): Promise<void> {
    const values = valuesOf(request, tellsAddress).set(SOURCE, sourceOf(request));
    const universal = universalRequestOf(request, response, unread.body, values);
    // A health Watch stays open for as long as its client likes.
    const mayStayOpen = handler.method.methodKind === 'server_streaming';
    setTimeoutHeader(universal.header, mayStayOpen ? undefined : options.defaultDeadlineMs);
    const made = await blameCaller(
      await handler(universal).catch((error: unknown) => {
        const call = values.get(CALL);
        if (!(error instanceof URIError) || call === undefined) throw error;
        return answerWithoutQuote(universal.header.get('content-type') ?? '', call.correlationId);
      }),
      () => values.get(CALL)?.reached === true,
      (code) => {
        const gone = universal.signal.aborted;
        // Where a client resets its stream, Node ends the message before it tells of the reset.
        setImmediate(() => {
          const counted = gone || isReset(request) ? Code.Canceled : code;
          refuse(handler.requestPath, codeName(counted), values.get(CALL)?.correlationId);
        });
      },
    );
    if (values.get(CALL) === undefined) refuse(handler.requestPath, `http_${made.status}`);
    // An HTTP/2 response finishes only when its stream closes, for which this is needed.
    ('stream' in response ? response.stream : response).once('finish', () => discardRest(unread.source));
    await universalResponseToNodeResponse(made, response);
  }

  function handle(request: NodeRequest, response: NodeResponse, unread: Unread): void {
    const path = request.url?.split('?', 1)[0] ?? '';
    const handler = handlers.get(path);
    if (handler === undefined) {
      refuse(path, 'http_404');
      response.statusCode = 404;
      response.end();
      return;
    }
    answer(handler, request, response, unread).catch((error: unknown) => {
      unsent(error, path);
      response.destroy();
    });
  }

  /** The client has gone before its answer was written; there is nobody left to tell. */
  function unsent(error: unknown, path: string): void {
    logger.debug({ err: error, path }, 'the answer could not be sent');
  }

  const lane = options.lane
    ? createLane({
        ...routerOptions,
        methods,
        contextValues: ({ socket, source }) => valuesFor(socket, tellsAddress).set(SOURCE, source),
        defaultTimeoutMs: options.defaultDeadlineMs,
        fallback: {
          http1: handle,
          http2: ({ stream, headers, rawHeaders, answerHeaders }, unread) => {
            const response = new Http2ServerResponse(stream);
            for (const [name, value] of Object.entries(answerHeaders)) response.setHeader(name, value);
            handle(new Http2ServerRequest(stream, headers, {}, rawHeaders), response, unread);
          },
        },
        onTaken: () => metrics.laneTaken.inc(),
        onGone: (path, values) => refuse(path, codeName(Code.Canceled), values.get(CALL)?.correlationId),
        onError: unsent,
      })
    : undefined;

  function takeHttp1(request: IncomingMessage, response: ServerResponse): boolean {
    const path = request.url ?? '';
    if (!lane || !shedder.hasRoom(path) || !lane.takeHttp1(request, response)) return false;
    shedder.hold(path, request, response);
    return true;
  }

  function takeHttp2(request: Http2Request): boolean {
    const { stream, headers } = request;
    const path = headers[':path'] ?? '';
    // One that there is no room for is refused when it has been wrapped.
    if (!lane || !shedder.hasRoom(path) || !lane.takeHttp2(request)) return false;
    shedder.hold(path, stream, stream);
    return true;
  }

  const handler = (request: NodeRequest, response: NodeResponse) => {
    const isHttp1 = !('stream' in request) && !('stream' in response);
    if (isHttp1 && takeHttp1(request, response)) return;
    if (!shedder.admit(request.url?.split('?', 1)[0] ?? '', request, response)) return;
    // Whoever stops to read must not destroy the request: on HTTP/1.1 the connection would never read again.
    handle(request, response, { body: request.iterator({ destroyOnReturn: false }), source: request });
  };
  return Object.assign(handler, { takeHttp2: lane && takeHttp2 });
}

function isReset(request: NodeRequest): boolean {
  return 'stream' in request && request.stream.rstCode !== 0;
}

/**
 * Throws away what an answered request still sends: connect-es stops to read where a message is too large, and
 * Node then waits for a reader, on HTTP/1.1 with every later request of the connection behind it. The listener's
 * request time-out bounds it.
 */
function discardRest(source: Readable): void {
  if (source.readableEnded) return;
  source.removeAllListeners('readable');
  source.resume();
}

function register(router: ConnectRouter, { writer, reader, sync, health }: RpcOptions): void {
  router.service(SequenceService, createSequenceService(writer, reader));
  router.service(SyncService, createSyncService(sync));
  registerHealth(router, health);
  registerReflection(router, SERVICES, [file_google_rpc_error_details]);
}
