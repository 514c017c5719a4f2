import type { JsonObject } from '@bufbuild/protobuf';
import type { SequenceClient } from '../../../client/src/index.ts';
import { CommandError } from '../command.ts';
import { ELEMENT_TYPES } from '../element-type.ts';
import { arrange, type BlocksByType, type PlacedBlock } from './arrange.ts';
import { blockOf, characterOf, type StoredElement, scriptOf } from './content.ts';
import { type BlockType, type ScriptBody, TYPE_NAMES, type TypeName } from './model.ts';

/** The id of the script, of which a scope has one. */
export const SCRIPT_ID = 1;

/** A sequence as it was read. */
export interface HeldSequence {
  readonly elements: readonly StoredElement[];
  readonly orderRevision: bigint;
}

/** What a scope of the service holds. */
export type Held = Readonly<Record<TypeName, HeldSequence>>;

/** A screenplay as a scope of the service holds it. */
export interface HeldScreenplay {
  readonly script: ScriptBody | undefined;
  /** In the order of the file. */
  readonly blocks: readonly PlacedBlock[];
  /** Blocks whose section is not there: an import was aborted between the two. */
  readonly astray: readonly PlacedBlock[];
}

/** Reads all sequences of a scope. */
export async function readHeld(
  client: SequenceClient,
  scope: string,
  signal: AbortSignal,
  onElements: (count: number) => void = () => {},
): Promise<Held> {
  const read = async (type: TypeName) =>
    [type, await readSequence(client, scope, type, signal, onElements)] as const;
  // Each type is there.
  return Object.fromEntries(await Promise.all(TYPE_NAMES.map(read))) as Record<TypeName, HeldSequence>;
}

/**
 * Understands what was read.
 *
 * @throws CommandError where there are elements that no import has made
 */
export function understand(held: Held, scope: string): HeldScreenplay {
  const foreign: string[] = [];
  const known = <T>(type: TypeName, of: (element: StoredElement) => T | undefined): T[] =>
    held[type].elements.flatMap((element) => {
      const found = of(element);
      if (found === undefined) foreign.push(`${type} ${element.id}`);
      return found === undefined ? [] : [found];
    });
  const blocks = (type: BlockType): PlacedBlock[] =>
    known(type, (element) => {
      const block = blockOf(type, element.content);
      return block && { ...block, type, element };
    });
  const byType: BlocksByType = {
    section: blocks('section'),
    action: blocks('action'),
    spokenWord: blocks('spokenWord'),
  };
  known('character', ({ content }) => characterOf(content));
  const [script] = known('script', ({ id, content }) => (id === SCRIPT_ID ? scriptOf(content) : undefined));
  if (foreign.length > 0) {
    const more = foreign.length > 3 ? ` and ${foreign.length - 3} more` : '';
    throw new CommandError(
      `scope ${scope} holds elements that no import has made: ${foreign.slice(0, 3).join(', ')}${more}; ` +
        'choose another scope, or remove them',
      1,
    );
  }
  const { ordered, astray } = arrange(byType);
  return { script, blocks: ordered, astray };
}

async function readSequence(
  client: SequenceClient,
  scope: string,
  type: TypeName,
  signal: AbortSignal,
  onElements: (count: number) => void,
): Promise<HeldSequence> {
  const elements: StoredElement[] = [];
  let orderRevision: bigint | undefined;
  let pageToken = '';
  do {
    const page = await client.listElements(
      { scope, elementType: ELEMENT_TYPES[type], pageSize: 1000, pageToken, includeContent: true },
      { signal },
    );
    orderRevision ??= page.orderRevision;
    if (page.orderRevision !== orderRevision)
      throw new CommandError(`somebody else changes scope ${scope} at this time; run the command again`, 1);
    for (const { elementId, versionNumber, content = {} } of page.elements)
      elements.push({ id: Number(elementId), version: versionNumber, content: content as JsonObject });
    onElements(page.elements.length);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return { elements, orderRevision };
}
