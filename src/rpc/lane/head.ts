import type { IncomingHttpHeaders } from 'node:http';

/** The two protocols of the lane, and their two encodings of a message. */
export interface Format {
  readonly protocol: 'connect' | 'grpc';
  readonly binary: boolean;
  /** The content type of answers. */
  readonly contentType: string;
}

const CONNECT_JSON: Format = { protocol: 'connect', binary: false, contentType: 'application/json' };
const CONNECT_PROTO: Format = { protocol: 'connect', binary: true, contentType: 'application/proto' };
const GRPC: Format = { protocol: 'grpc', binary: true, contentType: 'application/grpc+proto' };

/** By the content types that are taken, of those that connect-es takes. */
const FORMATS = new Map<string | undefined, Format>([
  ['application/json', CONNECT_JSON],
  ['application/json; charset=utf-8', CONNECT_JSON],
  ['application/json;charset=utf-8', CONNECT_JSON],
  ['application/proto', CONNECT_PROTO],
  ['application/grpc', GRPC],
  ['application/grpc+proto', GRPC],
]);

/** Node's timers overflow above this and fire at once; a longer deadline is as good as this one (24.8 days). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const GRPC_UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** What the header fields of a request say. */
export interface Head {
  readonly format: Format;
  readonly timeoutMs: number;
  /** Of the body, where it is told. */
  readonly length: number | undefined;
}

/** Reads the header fields of a POST; undefined where the stock adapter should. */
export function readHead(
  headers: IncomingHttpHeaders,
  { readMaxBytes, defaultTimeoutMs }: { readMaxBytes: number; defaultTimeoutMs: number },
): Head | undefined {
  const format = FORMATS.get(headers['content-type']);
  if (format === undefined) return undefined;
  const isGrpc = format === GRPC;
  if (!isIdentity(headers[isGrpc ? 'grpc-encoding' : 'content-encoding'])) return undefined;
  const timeoutMs = timeoutOf(headers[isGrpc ? 'grpc-timeout' : 'connect-timeout-ms'], isGrpc);
  if (timeoutMs === undefined && headers[isGrpc ? 'grpc-timeout' : 'connect-timeout-ms'] !== undefined)
    return undefined;
  const told = headers['content-length'];
  if (told !== undefined && !/^\d{1,10}$/.test(told)) return undefined;
  const length = told === undefined ? undefined : Number(told);
  if (length !== undefined && length > readMaxBytes + (isGrpc ? 5 : 0)) return undefined;
  return { format, timeoutMs: Math.min(timeoutMs ?? defaultTimeoutMs, MAX_TIMEOUT_MS), length };
}

function isIdentity(encoding: string | string[] | undefined): boolean {
  return encoding === undefined || encoding === 'identity';
}

/** Undefined where there is none, or none that can be read. */
function timeoutOf(value: string | string[] | undefined, isGrpc: boolean): number | undefined {
  if (typeof value !== 'string') return undefined;
  if (!isGrpc) return /^\d{1,10}$/.test(value) ? Number(value) : undefined;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? [];
  return unit === undefined ? undefined : Number(digits) * GRPC_UNITS_MS[unit]!;
}
