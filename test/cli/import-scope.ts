import type { createSequenceClient } from '../../client/src/index.ts';
import { readHeld, understand } from '../../src/cli/fountain/held.ts';
import { type BlockType, TYPE_NAMES, type TypeName } from '../../src/cli/fountain/model.ts';
import { parseFountain } from '../../src/cli/fountain/parse.ts';
import { planImport, type SequencePlan } from '../../src/cli/fountain/plan.ts';
import { PlanSender, type Sent } from '../../src/cli/fountain/send.ts';
import { writeFountain } from '../../src/cli/fountain/write.ts';

type Client = ReturnType<typeof createSequenceClient>;

const signal = new AbortController().signal;

/** An import as the command does it, in this process. */
export async function importText(
  client: Client,
  scope: string,
  text: string,
): Promise<Sent & { moved: number }> {
  const held = await readHeld(client, scope, signal);
  const plans = planImport(parseFountain(Buffer.from(text)), held, understand(held, scope));
  const sender = new PlanSender(client, scope, signal, () => {});
  await sender.send(plans);
  return { ...sender.sent, moved: plans.reduce((sum: number, plan: SequencePlan) => sum + plan.moved, 0) };
}

/** An export as the command does it. */
export async function exportText(client: Client, scope: string): Promise<string> {
  const { script, blocks } = understand(await readHeld(client, scope, signal), scope);
  return writeFountain(
    script!,
    blocks.map(({ body }) => body),
  );
}

/** Everything that a scope holds, in order. */
export async function contentsOf(client: Client, scope: string) {
  const held = await readHeld(client, scope, signal);
  return Object.fromEntries(TYPE_NAMES.map((type) => [type, held[type].elements])) as Record<
    TypeName,
    (typeof held)[TypeName]['elements']
  >;
}

/** The elements of a type by the beginning of their text, as `id.version`. */
export async function versionsOf(
  client: Client,
  scope: string,
  type: BlockType,
): Promise<Record<string, string>> {
  const { [type]: elements } = await contentsOf(client, scope);
  return Object.fromEntries(
    elements.map(({ id, version, content }) => [String(content['text']), `${id}.${version}`]),
  );
}
