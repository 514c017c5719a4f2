/** `npm run fuzz [count] [seed]`: the differential fuzzer, on every core. */
import { fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { fuzz, type Tally } from './fuzz.ts';

const [count = 100_000, seed = randomInt(2 ** 31), shard] = process.argv.slice(2).map(Number);
const REPORT_EVERY = 50;

/** What a shard tells: how many cases more, and in the end its tally or what went wrong. */
interface News {
  readonly more?: number;
  readonly tally?: Tally;
  readonly fault?: string;
}

if (shard === undefined) await runAll();
else await runShard();

async function runShard(): Promise<void> {
  let more = 0;
  const tell = (news: News) => process.send?.(news);
  try {
    const tally = await fuzz(count, seed, () => {
      more += 1;
      if (more < REPORT_EVERY) return;
      tell({ more });
      more = 0;
    });
    tell({ more, tally });
  } catch (error) {
    tell({ fault: error instanceof Error ? `${error.message}\n${error.cause}` : String(error) });
  }
  process.disconnect();
}

async function runAll(): Promise<void> {
  const shards = Math.min(availableParallelism(), count);
  const begun = performance.now();
  let done = 0;
  const say = (end: string) => {
    const seconds = (performance.now() - begun) / 1000;
    process.stderr.write(`\r${done} of ${count} cases, seed ${seed}, ${seconds.toFixed(0)} s${end}`);
  };
  const progress = setInterval(() => say(' '), 1_000);
  const tallies: Tally[] = [];
  const children = Array.from({ length: shards }, (_, i) => {
    const share = Math.floor(count / shards) + (i < count % shards ? 1 : 0);
    return fork(import.meta.filename, [share, seed + i, i].map(String));
  });
  await Promise.all(
    children.map(
      (child, i) =>
        new Promise<void>((resolve) => {
          child.on('message', ({ more = 0, tally, fault }: News) => {
            done += more;
            if (tally !== undefined) tallies.push(tally);
            if (fault === undefined) return;
            process.stderr.write(`\nshard ${i}, seed ${seed + i}:\n${fault}\n`);
            for (const other of children) other.kill();
          });
          child.on('exit', () => resolve());
        }),
    ),
  );
  clearInterval(progress);
  say('\n');
  const sum = (of: (tally: Tally) => number) => tallies.reduce((total, tally) => total + of(tally), 0);
  const statuses: Record<string, number> = {};
  for (const tally of tallies)
    for (const [status, times] of Object.entries(tally.statuses))
      statuses[status] = (statuses[status] ?? 0) + times;
  const verdict = tallies.length === shards ? 'no difference' : 'DIFFERENT';
  process.stdout.write(
    `${verdict}: ${sum(({ cases }) => cases)} cases, seed ${seed}, ${shards} shards; ` +
      `${sum(({ taken }) => taken)} of ${sum(({ requests }) => requests)} RPCs took the lane; ` +
      `replies by status ${JSON.stringify(statuses)}\n`,
  );
  process.exitCode = tallies.length === shards ? 0 : 1;
}
