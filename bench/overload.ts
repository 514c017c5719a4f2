import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ElementType, SequenceService } from '../gen/fountain/sequence/v1/sequence_pb.js';
import { verifyDatabase } from '../src/db/database.ts';
import { openReaderSource } from '../src/db/sqlite.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from './node-flags.ts';
import type { SenderOptions, SenderResult } from './overload-sender.ts';
import { PLACEMENT, pinned } from './server.ts';

// Ten times the load that the service can take, from processes of their own; and what is left of it. --check makes
// a missed target exit code 1.
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    connections: { type: 'string', default: '1000' },
    factor: { type: 'string', default: '10' },
    'deadline-ms': { type: 'string', default: '1000' },
    check: { type: 'boolean', default: false },
  },
});
const SECONDS = Number(values.seconds);
const SEQUENCES = 64;
const SENDERS = 2;
const TARGETS = { goodput: 0.8, share: 0.8, p99Ms: 250, rssMb: 300 };

const folder = mkdtempSync(join(tmpdir(), 'sequence-overload-'));
const file = join(folder, 'sequence.db');
const [command, args] = pinned(0, [...NODE_FLAGS, new URL('../src/main.ts', import.meta.url).pathname]);
const service = spawn(command, args, {
  env: {
    ...NODE_ENVIRONMENT,
    PATH: process.env['PATH'],
    PORT: '0',
    LOG_PRETTY: 'off',
    DATABASE_URL: `sqlite:///${file}`,
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const port = await new Promise<number>((resolve, reject) => {
  service.once('exit', (code) => reject(new Error(`the service ended with ${code}`)));
  const lines = createInterface({ input: service.stdout! });
  lines.on('line', (line) => {
    const entry = JSON.parse(line) as { msg: string; port: number };
    if (entry.msg !== 'serving') return;
    lines.close();
    service.stdout!.resume();
    resolve(entry.port);
  });
});

const files: string[] = [];
let firstId = 1;
async function send(
  some: Pick<SenderOptions, 'connections' | 'seconds'> &
    Partial<Pick<SenderOptions, 'rate' | 'firstSequence' | 'sequences'>>,
): Promise<SenderResult> {
  const acknowledged = join(folder, `acknowledged-${files.length}`);
  files.push(acknowledged);
  const options: SenderOptions = {
    port,
    deadlineMs: Number(values['deadline-ms']),
    firstSequence: 0,
    sequences: SEQUENCES,
    firstId,
    acknowledged,
    ...some,
  };
  firstId += 1_000_000_000;
  const script = new URL('overload-sender.ts', import.meta.url).pathname;
  const [senderCommand, senderArgs] = pinned(1, [script, JSON.stringify(options)]);
  const child = spawn(senderCommand, senderArgs, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout!.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`a sender ended with ${code}`);
  return JSON.parse(output) as SenderResult;
}

const client = createClient(
  SequenceService,
  createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: '1.1' }),
);

console.log(PLACEMENT);
let best = 0;
let bestPerCpuSecond = 0;
for (const connections of [64, 64, 256]) {
  const cpuBefore = cpuSeconds();
  const { accepted, seconds } = await send({ connections, seconds: Math.min(5, SECONDS) });
  best = Math.max(best, accepted.length / seconds);
  bestPerCpuSecond = Math.max(bestPerCpuSecond, accepted.length / (cpuSeconds() - cpuBefore));
  console.log(
    `closed loop, ${connections} callers: ${(accepted.length / seconds).toFixed(0)}/s${of(accepted)}`,
  );
}

const rate = (best * Number(values.factor)) / SENDERS;
const connections = Math.ceil(Number(values.connections) / SENDERS);
let flooding = true;
const cpuBeforeFlood = cpuSeconds();
const flood = Promise.all(
  Array.from({ length: SENDERS }, () => send({ connections, rate, seconds: SECONDS })),
).finally(() => {
  flooding = false;
});
const reads: number[] = [];
let failedReads = 0;
await sleep(500);
for (let scope = 0; flooding; scope = (scope + 1) % SEQUENCES) {
  const started = performance.now();
  try {
    await client.getSequence({ scope: `s${scope}`, elementType: ElementType.SCRIPT }, { timeoutMs: 1_000 });
    reads.push(performance.now() - started);
  } catch {
    failedReads += 1;
  }
  await sleep(50);
}
const results = await flood;
const floodCpuSeconds = cpuSeconds() - cpuBeforeFlood;
const startedMs = performance.now();
const { sequenceNumber } = await client.generate({
  scope: 'normal',
  elementType: ElementType.SCRIPT,
  elementId: 1n,
});
const normalMs = performance.now() - startedMs;

// One hot sequence has as many callers as the 63 others together.
const [hot, cold] = await Promise.all([
  send({ connections: 252, seconds: Math.min(10, SECONDS), firstSequence: 0, sequences: 1 }),
  send({ connections: 252, seconds: Math.min(10, SECONDS), firstSequence: 1, sequences: SEQUENCES - 1 }),
]);
const fairShare = (hot.accepted.length + cold.accepted.length) / SEQUENCES;
const share = cold.accepted.length / (SEQUENCES - 1) / fairShare;

const rssMb =
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))?.[1]) / 1024;
service.kill('SIGTERM');
const [exitCode] = await once(service, 'exit');
const { violations } = await verifyDatabase({ url: { engine: 'sqlite', file } });
const missing = await missingWrites();

const accepted = results.flatMap((result) => result.accepted);
const refused = results.flatMap((result) => result.refused);
const sum = (what: (result: SenderResult) => number) => results.reduce((total, one) => total + what(one), 0);
const goodput = sum(({ accepted: some, seconds }) => some.length / seconds);
const others = results.map((result) => JSON.stringify(result.others)).join(' ');
console.log(
  `offered: ${sum(({ due, seconds }) => due / seconds).toFixed(0)}/s for ${SECONDS} s on ${connections * SENDERS} connections, sent: ${sum(({ sent, seconds }) => sent / seconds).toFixed(0)}/s`,
);
console.log(`accepted: ${goodput.toFixed(0)}/s, ${(goodput / best).toFixed(2)} of the best${of(accepted)}`);
// On a machine that others use too, this says more.
console.log(
  `accepted in a second of the service's processor time: ${(accepted.length / floodCpuSeconds / bestPerCpuSecond).toFixed(2)} of the best`,
);
console.log(`refused: ${refused.length}${of(refused)}; other ends: ${others}`);
console.log(`reads meanwhile: ${reads.length}${of(reads)}, failed: ${failedReads}`);
console.log(`memory: ${rssMb.toFixed(0)} MB at most`);
console.log(
  `afterwards: a Generate in ${normalMs.toFixed(1)} ms; ${missing} acknowledged writes missing, ${violations.length} violations, exit code ${exitCode}`,
);
console.log(
  `one hot sequence beside 63: these get ${share.toFixed(2)} of their fair share${of(cold.accepted)}; the hot one${of(hot.accepted)}, refused: ${hot.refused.length}`,
);
rmSync(folder, { recursive: true });

const missed = [
  goodput / best >= TARGETS.goodput ? '' : 'goodput',
  quantile(accepted, 0.99) <= TARGETS.p99Ms ? '' : 'p99 of the accepted',
  share >= TARGETS.share ? '' : 'the share of the others beside a hot sequence',
  rssMb <= TARGETS.rssMb ? '' : 'memory',
  missing === 0 && violations.length === 0 && exitCode === 0 ? '' : 'acknowledged writes',
  sequenceNumber === 1 && normalMs <= TARGETS.p99Ms ? '' : 'the normal caller afterwards',
].filter((name) => name !== '');
if (missed.length > 0) console.log(`missed: ${missed.join(', ')}`);
if (values.check && missed.length > 0) process.exitCode = 1;

/** How many of the acknowledged writes are not in the database with the number that their answer gave. */
async function missingWrites(): Promise<number> {
  const source = await openReaderSource(file);
  const rows: { scope: string; id: number; number: number }[] = await source.query(
    'SELECT s.scope, e.element_id AS id, e.sequence_number AS number FROM element e JOIN sequence s ON s.id = e.sequence_id',
  );
  await source.destroy();
  const held = new Map(rows.map(({ scope, id, number }) => [`${scope.slice(1)} ${id}`, number]));
  let missing = 0;
  for (const name of files)
    for (const line of readFileSync(name, 'utf8').split('\n')) {
      const [sequence, id, number] = line.split(' ');
      if (id !== undefined && held.get(`${sequence} ${id}`) !== Number(number)) missing += 1;
    }
  return missing;
}

/** The processor time that the service has used, all its threads together. */
function cpuSeconds(): number {
  const fields = readFileSync(`/proc/${service.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function of(times: number[]): string {
  if (times.length === 0) return '';
  return `, p50 ${quantile(times, 0.5).toFixed(1)} ms, p99 ${quantile(times, 0.99).toFixed(1)} ms`;
}

function quantile(times: number[], q: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * q)] ?? 0;
}
