import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { SenderOptions, SenderResult } from '../../../bench/overload-sender.ts';
import { startService } from '../../support/service.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const SENDER = new URL('../../../bench/overload-sender.ts', import.meta.url).pathname;
const SECONDS = 4;

test('callers of one sequence, more than can be served, do not push out those of the 63 others', async () => {
  const { port } = await startService();
  const folder = await temporaryFolder();
  const send = async (
    some: Pick<SenderOptions, 'connections' | 'firstSequence' | 'sequences' | 'firstId'>,
  ) => {
    const acknowledged = join(folder, String(some.firstId));
    const options: SenderOptions = { port, seconds: SECONDS, deadlineMs: 1_000, acknowledged, ...some };
    const child = spawn(process.execPath, [SENDER, JSON.stringify(options)]);
    onTestFinished(() => void child.kill());
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await once(child, 'close');
    return JSON.parse(output) as SenderResult;
  };
  // Alone they are more than twice as many as have places.
  const [hot, cold] = await Promise.all([
    send({ connections: 1_200, firstSequence: 0, sequences: 1, firstId: 1 }),
    send({ connections: 189, firstSequence: 1, sequences: 63, firstId: 1_000_000_000 }),
  ]);
  const accepted = hot.accepted.length + cold.accepted.length;
  const share = cold.accepted.length / 63 / (accepted / 64);
  expect(hot.refused.length).toBeGreaterThan(cold.refused.length);
  expect(cold.refused.length / cold.sent).toBeLessThan(0.05);
  expect(share).toBeGreaterThan(0.5);
  expect(hot.accepted.length).toBeGreaterThan(0);
});
