import type { Answer } from '../typesense/faulty-server.ts';

/** FastAPI's way to answer, as uvicorn sends it. */
export function answer(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { server: 'uvicorn', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(value),
  };
}

/** What `raise HTTPException` becomes. */
export function detail(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return answer(status, { detail: text }, headers);
}

/** `HTTPBearer`: the answer to a request without the right key; undefined when it has it. */
export function refusedBearer(
  authorization: string | undefined,
  accepts: (key: string) => boolean,
  status: 401 | 403,
): Answer | undefined {
  const key = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
  if (key !== undefined && accepts(key)) return undefined;
  const headers: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
  return detail(status, key === undefined ? 'Not authenticated' : 'Invalid API key', headers);
}

/** What a field of a body must be, by name. */
export type Model = Readonly<Record<string, 'str' | 'dict' | 'list'>>;

/** A body read as a model, or the 422 with all that is wrong with it. */
export type Read = { readonly value: Record<string, unknown> } | { readonly refused: Answer };

const TYPE_OF: Readonly<
  Record<Model[string], { type: string; msg: string; fits: (value: unknown) => boolean }>
> = {
  str: {
    type: 'string_type',
    msg: 'Input should be a valid string',
    fits: (value) => typeof value === 'string',
  },
  dict: { type: 'dict_type', msg: 'Input should be a valid dictionary', fits: isDictionary },
  list: { type: 'list_type', msg: 'Input should be a valid list', fits: Array.isArray },
};

/** Checks a body as pydantic would. */
export function readModel(body: string, model: Model): Read {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    const error = { type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', input: {} };
    return { refused: answer(422, { detail: [{ ...error, ctx: { error: 'Expecting value' } }] }) };
  }
  if (!isDictionary(value)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from';
    const error = { type: 'model_attributes_type', loc: ['body'], msg, input: value };
    return { refused: answer(422, { detail: [error] }) };
  }
  const errors = Object.entries(model).flatMap(([name, kind]) => {
    const loc = ['body', name];
    const input = value[name];
    if (input === undefined) return [{ type: 'missing', loc, msg: 'Field required', input: value }];
    const { type, msg, fits } = TYPE_OF[kind];
    return fits(input) ? [] : [{ type, loc, msg, input }];
  });
  return errors.length === 0 ? { value } : { refused: answer(422, { detail: errors }) };
}

function isDictionary(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
