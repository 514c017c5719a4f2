import { toJson } from '@bufbuild/protobuf';
import { RemoveResponseSchema } from '../../client/src/index.ts';
import type { Options } from './command.ts';
import { ELEMENT_TYPES, typeNamed } from './element-type.ts';
import { shiftedInWords } from './move.ts';
import { elementId } from './numbers.ts';
import { print } from './output.ts';
import { scopeOf, withRemote } from './remote.ts';
import { table } from './table.ts';

/** Removes an element with all its versions. Returns the exit code. */
export async function remove(type: string, id: string, options: Options): Promise<number> {
  const name = typeNamed(type);
  const request = {
    scope: scopeOf(options),
    elementType: ELEMENT_TYPES[name],
    elementId: elementId(id),
    comment: typeof options['comment'] === 'string' ? options['comment'] : '',
  };
  const answer = await withRemote(options, ({ client, signal }) => client.remove(request, { signal }));
  if (options['json'] === true) {
    print(JSON.stringify(toJson(RemoveResponseSchema, answer, { alwaysEmitImplicit: true })));
    return 0;
  }
  const columns = ['TYPE', 'ID', 'FROM', 'SHIFTED'].map((title) => ({ title }));
  const row = [name, id, String(answer.oldSequenceNumber), shiftedInWords(answer.shifted)];
  for (const line of table(columns, [row], process.stdout.columns)) print(line);
  return 0;
}
