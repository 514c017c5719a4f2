import type { Refusal } from './errors.ts';
import type { Answer } from './faulty-server.ts';
import { stringify } from './json.ts';

const JSON_UTF8 = { 'content-type': 'application/json; charset=utf-8' };
const TEXT_UTF8 = { 'content-type': 'text/plain; charset=utf-8' };

/** Keys in order, compact. */
export function json(status: number, value: unknown): Answer {
  return { status, headers: JSON_UTF8, body: stringify(value) };
}

/** The one answer without a charset: delete by filter. */
export function plainJson(status: number, value: unknown): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: stringify(value) };
}

/** Lines, without one at the end. */
export function text(body: string): Answer {
  return { status: 200, headers: TEXT_UTF8, body };
}

/** Most errors: the text is put between quotes as it is, so one with a quote in it is not JSON. */
export function error(status: number, message: string): Answer {
  return { status, headers: JSON_UTF8, body: `{"message": "${message}"}` };
}

/** Errors before the handler: no route, not ready, too many. */
export function earlyError(status: number, message: string): Answer {
  return { status, headers: JSON_UTF8, body: `{ "message": "${message}"}` };
}

/** Errors of single-document writes and of searches: real JSON. */
export function writtenError({ status, message }: Refusal): Answer {
  return json(status, { message });
}
