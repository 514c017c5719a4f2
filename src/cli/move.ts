import { toJson } from '@bufbuild/protobuf';
import { MoveResponseSchema } from '../../client/src/index.ts';
import { CommandError, type Options } from './command.ts';
import { ELEMENT_TYPES, typeNamed } from './element-type.ts';
import { count, elementId } from './numbers.ts';
import { print } from './output.ts';
import { scopeOf, withRemote } from './remote.ts';
import { table } from './table.ts';

/** Moves an element to another place of its sequence. Returns the exit code. */
export async function move(type: string, id: string, options: Options): Promise<number> {
  const name = typeNamed(type);
  const request = {
    scope: scopeOf(options),
    elementType: ELEMENT_TYPES[name],
    elementId: elementId(id),
    comment: typeof options['comment'] === 'string' ? options['comment'] : '',
    target: targetOf(options),
  };
  const answer = await withRemote(options, ({ client, signal }) => client.move(request, { signal }));
  if (options['json'] === true) {
    print(JSON.stringify(toJson(MoveResponseSchema, answer, { alwaysEmitImplicit: true })));
    return 0;
  }
  const { oldSequenceNumber, newSequenceNumber, shifted } = answer;
  const row = [name, id, String(oldSequenceNumber), String(newSequenceNumber), shiftedInWords(shifted)];
  const columns = ['TYPE', 'ID', 'FROM', 'TO', 'SHIFTED'].map((title) => ({ title }));
  for (const line of table(columns, [row], process.stdout.columns)) print(line);
  return 0;
}

/** Which neighbours got another number, in words. */
export function shiftedInWords(shifted: { first: number; last: number; by: number } | undefined): string {
  if (shifted === undefined) return 'nothing';
  const { first, last, by } = shifted;
  return `${first === last ? first : `${first} to ${last}`} by ${by > 0 ? '+' : ''}${by}`;
}

function targetOf(options: Options) {
  const given = ['before', 'after', 'first', 'last', 'position'].filter(
    (name) => options[name] !== undefined,
  );
  const [name] = given;
  if (given.length === 1)
    switch (name) {
      case 'before':
      case 'after':
        return { case: name, value: elementId(String(options[name]), `--${name}`) } as const;
      case 'first':
      case 'last':
        return { case: name, value: true } as const;
      case 'position':
        return { case: name, value: count(options, name)! } as const;
    }
  throw new CommandError('say where to: one of --before ID, --after ID, --first, --last, --position N', 2);
}
