/**
 * The lane against the stock adapter: an empty RPC (Health.Check) and a durable Generate, JSON through wrk and gRPC
 * through h2load. Two services on one core, the load on the other, the sides in turn; medians and their ratios. The
 * processor time of a request, user and system, is what a machine that others use disturbs least.
 *
 *   npx node bench/lane.ts [seconds a turn, 10] [turns a side, 3]
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { GenerateRequestSchema } from '../gen/fountain/sequence/v1/sequence_pb.js';
import { NODE_FLAGS } from './node-flags.ts';

const run = promisify(execFile);
const ROOT = new URL('..', import.meta.url).pathname;
const SECONDS = Number(process.argv[2] ?? 10);
const TURNS = Number(process.argv[3] ?? 3);
const CALLERS = 64;
const SIDES = ['off', 'on'] as const;
type Side = (typeof SIDES)[number];

const folder = await mkdtemp(join(tmpdir(), 'lane-bench-'));
const children: ChildProcess[] = [];
/** Of one clock tick in /proc, which is 1/100 s on every Linux that Node runs on. */
const TICK_US = 10_000;

interface Server {
  readonly port: number;
  readonly pid: number;
}

async function startServer(lane: Side): Promise<Server> {
  const env = {
    PATH: process.env['PATH'],
    PORT: '0',
    LANE: lane,
    DATABASE_URL: `sqlite:///${join(folder, `${lane}.db`)}`,
    ...(process.env['LOG_LEVEL'] && { LOG_LEVEL: process.env['LOG_LEVEL'] }),
  };
  const profile = process.env['PROFILE'] ? ['--cpu-prof', `--cpu-prof-dir=${process.env['PROFILE']}`] : [];
  const args = ['-c', '0', process.execPath, ...NODE_FLAGS, ...profile, join(ROOT, 'src/main.ts')];
  const child = spawn('taskset', args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  return await new Promise((resolve) => {
    // Read on for as long as it runs: a log that nobody reads would be measured.
    lines.on('line', (line) => {
      if (line.includes('"msg":"serving"')) resolve({ port: JSON.parse(line).port, pid: child.pid! });
    });
  });
}

async function cpuUs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

interface Load {
  readonly perSecond: number;
  readonly requests: number;
}

interface Scenario {
  readonly name: string;
  measure(port: number): Promise<Load>;
}

async function wrk(port: number, script: string): Promise<Load> {
  const args = [
    '-c',
    '1',
    'wrk',
    '-t1',
    `-c${CALLERS}`,
    `-d${SECONDS}s`,
    '-s',
    script,
    `http://127.0.0.1:${port}`,
  ];
  const { stdout } = await run('taskset', args);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return {
    perSecond: Number(/Requests\/sec:\s*([\d.]+)/.exec(stdout)![1]),
    requests: Number(/(\d+) requests in/.exec(stdout)![1]),
  };
}

async function h2load(port: number, path: string, body: string): Promise<Load> {
  const args = ['-c', '1', 'h2load', '-t1', '-c8', '-m8', `-D${SECONDS}`, '-d', body];
  args.push('-H', 'content-type: application/grpc', '-H', 'te: trailers', `http://127.0.0.1:${port}${path}`);
  const { stdout } = await run('taskset', args);
  if (!/ 0 failed, 0 errored/.test(stdout)) throw new Error(stdout);
  return {
    perSecond: Number(/finished in [\d.]+\w+, ([\d.]+) req\/s/.exec(stdout)![1]),
    requests: Number(/(\d+) succeeded/.exec(stdout)![1]),
  };
}

const generateJson = join(folder, 'generate.lua');
const checkJson = join(folder, 'check.lua');
const checkGrpc = join(folder, 'check.bin');
const head = (path: string) =>
  `wrk.method="POST"\nwrk.path="${path}"\nwrk.headers["content-type"]="application/json"\n`;
const CHECK = '/grpc.health.v1.Health/Check';
const GENERATE = '/fountain.sequence.v1.SequenceService/Generate';
await writeFile(checkJson, `${head(CHECK)}wrk.body="{}"\n`);
await writeFile(
  generateJson,
  `${head(GENERATE)}math.randomseed(os.time())
local id = math.random(1, 2^31) * 2^20
request = function()
  id = id + 1
  return wrk.format(nil, nil, nil, string.format('{"elementType":1,"scope":"s%d","elementId":"%.0f"}', id % 16, id))
end\n`,
);
await writeFile(checkGrpc, Buffer.alloc(5));
const generateGrpc = join(folder, 'generate.bin');
{
  // h2load sends one body for ever: an element that is there already, so a write that is judged and refused.
  const message = toBinary(
    GenerateRequestSchema,
    create(GenerateRequestSchema, { elementType: 1, elementId: 7n }),
  );
  const frame = Buffer.alloc(5 + message.byteLength);
  frame.writeUInt32BE(message.byteLength, 1);
  frame.set(message, 5);
  await writeFile(generateGrpc, frame);
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'empty, JSON', measure: (port) => wrk(port, checkJson) },
  { name: 'empty, gRPC', measure: (port) => h2load(port, CHECK, checkGrpc) },
  { name: 'Generate, JSON', measure: (port) => wrk(port, generateJson) },
  { name: 'Generate of what exists, gRPC', measure: (port) => h2load(port, GENERATE, generateGrpc) },
];

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

try {
  const only = process.env['ONLY'];
  const servers = { off: await startServer('off'), on: await startServer('on') };
  for (const scenario of SCENARIOS.filter(({ name }) => !only || name.includes(only))) {
    const rates: Record<Side, number[]> = { off: [], on: [] };
    const costs: Record<Side, number[]> = { off: [], on: [] };
    for (let turn = 0; turn < TURNS; turn++)
      for (const side of SIDES) {
        const { port, pid } = servers[side];
        const before = await cpuUs(pid);
        const { perSecond, requests } = await scenario.measure(port);
        const cost = ((await cpuUs(pid)) - before) / requests;
        rates[side].push(perSecond);
        costs[side].push(cost);
        console.error(
          `${scenario.name}: LANE=${side} ${perSecond.toFixed(0)}/s, ${cost.toFixed(1)} us of processor`,
        );
      }
    const rate = { off: median(rates.off), on: median(rates.on) };
    const cost = { off: median(costs.off), on: median(costs.on) };
    console.log(
      `${scenario.name}: stock ${rate.off.toFixed(0)}/s ${cost.off.toFixed(1)} us, ` +
        `lane ${rate.on.toFixed(0)}/s ${cost.on.toFixed(1)} us, ` +
        `ratio ${(rate.on / rate.off).toFixed(2)} by rate, ${(cost.off / cost.on).toFixed(2)} by processor`,
    );
  }
} finally {
  for (const child of children) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
}
