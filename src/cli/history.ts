import { toJson } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { type Version, VersionSchema } from '../../client/src/index.ts';
import type { Options } from './command.ts';
import { describe } from './describe.ts';
import { ELEMENT_TYPES, typeNamed } from './element-type.ts';
import { elementId } from './numbers.ts';
import { print } from './output.ts';
import { scopeOf, withRemote } from './remote.ts';
import { type Column, table } from './table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'VERSION', align: 'right' },
  { title: 'NUMBER', align: 'right' },
  { title: 'MADE' },
  { title: 'COMMENT' },
  { title: 'CONTENT' },
];

/** Lists the versions of an element, the newest first. Returns the exit code. */
export async function history(type: string, id: string, options: Options): Promise<number> {
  const element = {
    scope: scopeOf(options),
    elementType: ELEMENT_TYPES[typeNamed(type)],
    elementId: elementId(id),
  };
  const versions = await withRemote(options, async ({ client, signal }) => {
    const all: Version[] = [];
    let pageToken = '';
    do {
      const query = { ...element, pageSize: 1000, pageToken, includeContent: true };
      const page = await client.listVersions(query, { signal });
      all.push(...page.versions);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return all;
  });
  if (options['json'] === true) {
    print(JSON.stringify({ versions: versions.map((version) => toJson(VersionSchema, version)) }));
    return 0;
  }
  const rows = versions.map(({ versionNumber, sequenceNumber, createTime, comment, content }) => [
    String(versionNumber),
    String(sequenceNumber),
    createTime === undefined ? '' : timestampDate(createTime).toISOString(),
    comment,
    describe(content),
  ]);
  for (const line of table(COLUMNS, rows, process.stdout.columns)) print(line);
  return 0;
}
