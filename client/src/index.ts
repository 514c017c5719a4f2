/** The client for Node. */
export * from './core.ts';
export { createSequenceClient, type SequenceClientOptions } from './node.ts';
