/** The client for Node. */
export * from './core.ts';
export { createSequenceClient, type SequenceClientOptions, type TlsOptions } from './node.ts';
