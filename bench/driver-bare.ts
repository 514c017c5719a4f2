import { Agent as HttpAgent } from 'node:http';
import { Client } from 'typesense';
import { Agent, request } from 'undici';
import type { IndexKind } from './index-target.ts';

// Sends the documents that the service would send, with the bare client that it uses: what the service is measured
// against. That is undici to the client service, and the import call of the official client to Typesense.
const { kind, url, count } = JSON.parse(process.argv[2]!) as { kind: IndexKind; url: string; count: number };
const COLLECTION = 'bare';
const BATCH = 2_048;
const PARALLEL = 16;

const dispatcher = new Agent({ connections: PARALLEL, pipelining: 1 });
const key: Record<string, string> =
  kind === 'typesense' ? { 'x-typesense-api-key': 'typesense-key' } : { authorization: 'Bearer client-key' };

const document = (index: number) => ({
  id: `bench_script_${index}_1`,
  scope: 'bench',
  element_type: 'script',
  element_id: index,
  sequence_number: index,
  version_number: 1,
  comment: '',
  text: '',
  is_latest: true,
  service_name: 'sequence-service',
  sync_generation: 1,
  updated_at: 1_795_478_400_000,
});

async function post(path: string, type: string, body: string): Promise<void> {
  const headers = { 'content-type': type, ...key };
  const { statusCode, body: answer } = await request(url + path, {
    method: 'POST',
    headers,
    body,
    dispatcher,
  });
  await answer.dump();
  if (statusCode >= 300) throw new Error(`${path} answered ${statusCode}`);
}

const fields = [{ name: 'scope', type: 'string' }];
await post('/collections', 'application/json', JSON.stringify({ name: COLLECTION, fields }));
const started = performance.now();
const cpu = process.cpuUsage();
if (kind === 'typesense') {
  const { hostname, port } = new URL(url);
  const httpAgent = new HttpAgent({ keepAlive: true });
  const nodes = [{ host: hostname, port: Number(port), protocol: 'http' }];
  const client = new Client({ nodes, apiKey: 'typesense-key', httpAgent });
  for (let first = 1; first <= count; first += BATCH) {
    const length = Math.min(BATCH, count - first + 1);
    const lines = Array.from({ length }, (_, index) => JSON.stringify(document(first + index)));
    const answer = String(
      await client.collections(COLLECTION).documents().import(lines.join('\n'), { action: 'upsert' }),
    );
    if (answer.split('\n').some((line) => line !== '{"success":true}')) throw new Error(answer.slice(0, 300));
  }
  httpAgent.destroy();
} else {
  let next = 1;
  const lane = async () => {
    while (next <= count) {
      const body = { operation: 'create', collection_name: COLLECTION, document: document(next++) };
      await post('/documents/sync', 'application/json', JSON.stringify(body));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
}
const { user, system } = process.cpuUsage(cpu);
const perSecond = count / ((performance.now() - started) / 1000);
process.stdout.write(JSON.stringify({ perSecond, cpuMicros: (user + system) / count }));
await dispatcher.close();
