import { fromBinary, type JsonObject } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.js';

/** The details of an error, whichever protocol carried them. */
export interface ErrorDetails {
  readonly info?: { reason: string; domain: string; metadata: Record<string, string> };
  /** From google.rpc.BadRequest. */
  readonly violations: readonly { field: string; description: string }[];
  readonly retryDelayMs?: number;
}

/** Decodes the `details` of a Connect error. */
export function detailsOfConnect(details: readonly JsonObject[]): ErrorDetails {
  return merge(details.map(({ type, value }) => [String(type), Buffer.from(String(value), 'base64')]));
}

/** Decodes the `grpc-status-details-bin` of a gRPC error: a google.rpc.Status, read by hand. */
export function detailsOfStatus(base64: string | Uint8Array): ErrorDetails {
  const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : base64;
  const details: [string, Uint8Array][] = [];
  for (const any of lengthDelimited(bytes, 3)) {
    const [typeUrl] = lengthDelimited(any, 1);
    const [value] = lengthDelimited(any, 2);
    details.push([Buffer.from(typeUrl!).toString().replace(/^.*\//, ''), value ?? new Uint8Array()]);
  }
  return merge(details);
}

function merge(details: readonly (readonly [string, Uint8Array])[]): ErrorDetails {
  let merged: ErrorDetails = { violations: [] };
  for (const [type, value] of details)
    switch (type) {
      case 'google.rpc.ErrorInfo': {
        const { reason, domain, metadata } = fromBinary(ErrorInfoSchema, value);
        if (merged.info) throw new Error('two ErrorInfos');
        merged = { ...merged, info: { reason, domain, metadata } };
        break;
      }
      case 'google.rpc.BadRequest': {
        const violations = fromBinary(BadRequestSchema, value).fieldViolations.map(
          ({ field, description }) => ({ field, description }),
        );
        merged = { ...merged, violations };
        break;
      }
      case 'google.rpc.RetryInfo': {
        const { retryDelay } = fromBinary(RetryInfoSchema, value);
        const retryDelayMs = Number(retryDelay?.seconds ?? 0n) * 1000 + (retryDelay?.nanos ?? 0) / 1e6;
        merged = { ...merged, retryDelayMs };
        break;
      }
      default:
        throw new Error(`an unexpected detail: ${type}`);
    }
  return merged;
}

function lengthDelimited(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}
