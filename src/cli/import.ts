import { readFile, stat } from 'node:fs/promises';
import { quote } from '../config/mask.ts';
import { CommandError, type Options } from './command.ts';
import { readHeld, understand } from './fountain/held.ts';
import { FountainError, type Screenplay } from './fountain/model.ts';
import { parseFountain } from './fountain/parse.ts';
import { planImport, type SequencePlan } from './fountain/plan.ts';
import { PlanSender, type Sent, workOf } from './fountain/send.ts';
import { MAX_FILE_BYTES } from './fountain/source.ts';
import { print, printError } from './output.ts';
import { Progress } from './progress.ts';
import { type Remote, scopeOf, withRemote } from './remote.ts';
import { visible } from './visible.ts';

/** Makes a scope of the running service hold exactly what a Fountain file says. Returns the exit code. */
export async function importFountain(file: string, options: Options): Promise<number> {
  const scope = scopeOf(options);
  const screenplay = await readScreenplay(file);
  const again = `interrupted; what was sent stays. Run the same command again: it goes on from there`;
  return await withRemote(
    options,
    async (remote) => {
      const held = await readHeld(remote.client, scope, remote.signal);
      const plans = planImport(screenplay, held, understand(held, scope));
      const sent = await send(plans, remote, scope);
      if (options['json'] === true) print(JSON.stringify(report(file, scope, remote, plans, sent)));
      else for (const line of summary(scope, plans, sent)) print(line);
      return 0;
    },
    again,
  );
}

async function readScreenplay(file: string): Promise<Screenplay> {
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES)
      throw new CommandError(`${quote(file)} has ${size} bytes; ${MAX_FILE_BYTES} are the most`, 1);
    return parseFountain(await readFile(file));
  } catch (error) {
    if (error instanceof FountainError)
      throw new CommandError(
        error.faults.map(({ line, text }) => `${visible(file)}:${line}: ${text}`).join('\n'),
        1,
      );
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new CommandError(`${quote(file)} cannot be read (${String(error.code)})`, 1);
  }
}

async function send(plans: readonly SequencePlan[], remote: Remote, scope: string): Promise<Sent> {
  const work = workOf(plans);
  if (work > 0 && !process.stderr.isTTY) printError(`${remote.url}: ${work} to send`);
  const progress = new Progress('sent', work);
  try {
    const sender = new PlanSender(remote.client, scope, remote.signal, (count) => progress.add(count));
    await sender.send(plans);
    return sender.sent;
  } finally {
    progress.end();
  }
}

function summary(scope: string, plans: readonly SequencePlan[], sent: Sent): string[] {
  if (sent.calls === 0) return [`scope ${scope} holds the file already; nothing was sent`];
  const moved = plans.reduce((sum, plan) => sum + plan.moved, 0);
  const sizes = plans.map(({ type, size }) => `${type} ${size}`).join(', ');
  return [
    `scope ${scope} holds the file: ${sizes}`,
    `${sent.generated} generated, ${sent.versions} new versions, ${moved} moved, ${sent.removed} removed, in ${sent.calls} calls`,
  ];
}

function report(file: string, scope: string, { url }: Remote, plans: readonly SequencePlan[], sent: Sent) {
  return {
    file,
    scope,
    server: url,
    elements: Object.fromEntries(plans.map(({ type, size }) => [type, size])),
    moved: plans.reduce((sum, plan) => sum + plan.moved, 0),
    ...sent,
  };
}
