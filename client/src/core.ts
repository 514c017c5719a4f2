/** The client without a transport: for browsers and other runtimes with fetch. It imports nothing of Node's. */
export * from '../../gen/fountain/sequence/v1/sequence_pb.js';
export {
  ERROR_DOMAIN,
  type FieldViolation,
  fieldViolationsOf,
  mayHaveBeenApplied,
  metadataOf,
  reasonOf,
  retryDelayMsOf,
} from './errors.ts';
export { type CallingOptions, createSequenceClientOver, type SequenceClient } from './over-transport.ts';
export { DEFAULT_RETRY, type RetryPolicy } from './retry.ts';
