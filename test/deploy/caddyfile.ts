import { readFileSync } from 'node:fs';

export const CADDYFILE = new URL('../../deploy/caddy/Caddyfile', import.meta.url).pathname;

const text = readFileSync(CADDYFILE, 'utf8');

/** The replicas that the Caddyfile knows where UPSTREAMS is not set. */
export const DEFAULT_UPSTREAMS = /\{\$UPSTREAMS:([^}]*)\}/.exec(text)![1]!.split(' ');

/** The longest time in milliseconds after which a replica that is not ready gets no calls. */
export const NOTICE_MS = secondsOf('health_interval') * 1000 + secondsOf('health_timeout') * 1000;

function secondsOf(directive: string): number {
  return Number(new RegExp(`^\\s*${directive} (\\d+)s$`, 'm').exec(text)![1]);
}
