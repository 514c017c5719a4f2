import { answers, type Fault } from '../typesense/faults.ts';

const ok = (body: string, headers = { 'content-type': 'application/json' }): Fault => ({
  kind: 'answer',
  status: 200,
  body,
  headers,
});

/** Answers with status 200 that hold no key. */
export const RUBBISH: Readonly<Record<string, Fault>> = {
  html: answers.html(),
  'no body': ok(''),
  'not json': ok('{"service_name": "sequence", "api_'),
  null: ok('null'),
  list: ok('["key"]'),
  'no key': ok('{"service_name":"sequence"}'),
  'empty key': ok('{"service_name":"sequence","api_key":""}'),
  'key is a number': ok('{"service_name":"sequence","api_key":12}'),
  'key that no header can hold': ok('{"service_name":"sequence","api_key":"a\\r\\nb"}'),
  "another service's key": ok('{"service_name":"another","api_key":"theirs"}'),
};
