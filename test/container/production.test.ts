import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { argumentsOf, finalStage, pairsOf, readDockerfile, textsOf } from './dockerfile.ts';
import { makeProductionTree, makeWritable } from './production-tree.ts';

const image = finalStage(readDockerfile());

test('what the image holds serves from a read-only tree as another user, is healthy, and stops on SIGTERM', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => makeWritable(folder));
  const node = await makeProductionTree(folder);
  const data = join(folder, 'data');
  await mkdir(data);
  // Only root can become another user; for anyone else the tree is read-only by its modes.
  const identity = process.getuid?.() === 0 ? userOfImage() : undefined;
  if (identity !== undefined) await chown(data, identity.uid, identity.gid);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const options = {
    cwd: join(folder, 'app'),
    env: {
      ...pairsOf(image, 'ENV'),
      PORT: String(port),
      AUTH: 'none',
      DATABASE_URL: `sqlite:///${data}/sequence.db`,
      SQLITE_TMPDIR: data,
    },
    ...identity,
  };
  const [, ...entrypoint] = argumentsOf(textsOf(image, 'ENTRYPOINT')[0]!);
  const [, ...check] = argumentsOf(textsOf(image, 'HEALTHCHECK')[0]!);
  const healthcheck = () => spawnSync(node, check, options).status;

  const write = spawnSync(node, ['-e', 'fs.writeFileSync("src/new.ts", "")'], options);
  expect(String(write.stderr)).toContain('EACCES');
  expect(healthcheck()).toBe(1);

  const start = [...entrypoint, ...argumentsOf(textsOf(image, 'CMD')[0]!)];
  const unsaid = spawnSync(node, start, { ...options, env: { ...options.env, AUTH: '' } });
  expect(unsaid.status).toBe(1);
  expect(String(unsaid.stderr)).toContain('set AUTH=tokens or AUTH=jwt, or AUTH=none');

  const service = spawn(node, start, {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(service, 'exit');
  onTestFinished(async () => {
    service.kill('SIGKILL');
    await exited;
  });
  const log = createInterface({ input: service.stdout });
  for await (const line of log) if (line.includes('"msg":"serving"')) break;
  service.stdout.resume();

  const answer = await fetch(`${url}/fountain.sequence.v1.SequenceService/Generate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ elementType: 'ELEMENT_TYPE_SCRIPT', elementId: '7' }),
  });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ sequenceNumber: 1 });
  expect(healthcheck()).toBe(0);

  service.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(healthcheck()).toBe(1);
}, 60_000);

function userOfImage(): { uid: number; gid: number } {
  const [uid, gid] = textsOf(image, 'USER')[0]!.split(':').map(Number);
  return { uid: uid!, gid: gid! };
}
