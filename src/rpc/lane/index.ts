/**
 * A fast lane for unary calls in front of connect-es' own handlers. The folder imports nothing of its surroundings,
 * so that it could become a package.
 *
 * It answers a call only where the request is of the plainest shape and its message can be decoded; whatever else
 * comes, it hands to the stock adapter, body included, as if it had never looked. So no error of the protocol
 * layer is made here: only what interceptors and implementations answer.
 */

export { createLane, type Lane } from './lane.ts';
export { recordMethods } from './methods.ts';
export type { Fallback, Http2Request, LaneOptions, LaneRequest, Unread } from './options.ts';
