import { toJson } from '@bufbuild/protobuf';
import { type Element, ElementSchema } from '../../client/src/index.ts';
import type { Options } from './command.ts';
import { describe } from './describe.ts';
import { ELEMENT_TYPES, typeNamed } from './element-type.ts';
import { TYPE_NAMES, type TypeName } from './fountain/model.ts';
import { count } from './numbers.ts';
import { print } from './output.ts';
import { type Remote, scopeOf, withRemote } from './remote.ts';
import { type Column, table } from './table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'NUMBER', align: 'right' },
  { title: 'ID', align: 'right' },
  { title: 'VERSION', align: 'right' },
  { title: 'COMMENT' },
  { title: 'CONTENT' },
];
const PAGE = 1_000;

/** Lists the elements of a sequence; without a type, the sequences of the scope. Returns the exit code. */
export async function list(type: string | undefined, options: Options): Promise<number> {
  const scope = scopeOf(options);
  if (type === undefined) return await withRemote(options, (remote) => listSequences(remote, scope, options));
  const name = typeNamed(type);
  const start = count(options, 'start') ?? 1;
  const limit = count(options, 'limit') ?? Number.POSITIVE_INFINITY;
  const { elements, totalSize } = await withRemote(options, (remote) =>
    read(remote, scope, name, start, limit),
  );
  if (options['json'] === true) {
    print(JSON.stringify({ elements: elements.map((element) => toJson(ElementSchema, element)), totalSize }));
    return 0;
  }
  const rows = elements.map(({ sequenceNumber, elementId, versionNumber, comment, content }) =>
    [sequenceNumber, elementId, versionNumber, comment, describe(content)].map(String),
  );
  for (const line of table(COLUMNS, rows, process.stdout.columns)) print(line);
  return 0;
}

async function read({ client, signal }: Remote, scope: string, type: TypeName, start: number, limit: number) {
  const elements: Element[] = [];
  let pageToken = '';
  const query = {
    scope,
    elementType: ELEMENT_TYPES[type],
    startSequenceNumber: start,
    pageSize: Math.min(PAGE, limit),
    includeContent: true,
  };
  for (;;) {
    const page = await client.listElements({ ...query, pageToken }, { signal });
    elements.push(...page.elements.slice(0, limit - elements.length));
    pageToken = page.nextPageToken;
    if (pageToken === '' || elements.length >= limit) return { elements, totalSize: page.totalSize };
  }
}

async function listSequences({ client, signal }: Remote, scope: string, options: Options): Promise<number> {
  const sizes = await Promise.all(
    TYPE_NAMES.map(async (type) => {
      const { size, revision } = await client.getSequence(
        { scope, elementType: ELEMENT_TYPES[type] },
        { signal },
      );
      return { type, size, revision: String(revision) };
    }),
  );
  if (options['json'] === true) {
    print(JSON.stringify({ scope, sequences: sizes }));
    return 0;
  }
  const columns: Column[] = [
    { title: 'TYPE' },
    { title: 'SIZE', align: 'right' },
    { title: 'REVISION', align: 'right' },
  ];
  const rows = sizes.map(({ type, size, revision }) => [type, String(size), revision]);
  for (const line of table(columns, rows, process.stdout.columns)) print(line);
  return 0;
}
