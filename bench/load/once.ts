import { request } from 'undici';

/** One call of SequenceService with a body that is ready (Connect, binary). Returns the milliseconds until its answer was read. */
export async function callOnce(
  url: string,
  method: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const started = performance.now();
  const answer = await request(`${url}/fountain.sequence.v1.SequenceService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/proto', ...headers },
    body,
    headersTimeout: 60_000,
  });
  if (answer.statusCode !== 200)
    throw new Error(`${method}: ${answer.statusCode} ${await answer.body.text()}`);
  await answer.body.dump({ limit: 64 * 2 ** 20 });
  return performance.now() - started;
}
