import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;

/** The floors, lowest first; rooms of one floor are siblings that never import each other. */
const FLOORS: readonly (readonly string[])[] = [
  ['util'],
  ['config', 'log', 'metrics'],
  ['db'],
  ['domain'],
  ['rpc', 'sync', 'http'],
  ['app'],
  ['process'],
];

/** main.ts, cli.ts and cli/ are the process together. */
const PROCESS = ['main', 'cli'];

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join('src', file));

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(join(ROOT, from), 'utf8');
  const specifiers = text.matchAll(/(?:\bfrom\s+|^import\s+|\bimport\(\s*|\brequire\(\s*)'([^']+)'/gm);
  return [...specifiers].map(([, to]) => ({
    from,
    to: to!.startsWith('.') ? normalize(join(dirname(from), to!)) : to!,
  }));
});

/** The room of a file below src/: `src/db/x.ts` is in `db`, `src/log.ts` in `log`. */
function roomOf(file: string): string {
  const room = relative('src', file).split('/')[0]!.replace(/\.ts$/, '');
  return PROCESS.includes(room) ? 'process' : room;
}

function floorOf(file: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)));
}

const named = ({ from, to }: Import) => `${from} -> ${to}`;

describe('floors', () => {
  test('there is something to look at', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(files.length);
  });

  test('every file belongs to a room', () => {
    expect(files.filter((file) => floorOf(file) === -1)).toEqual([]);
  });

  test('a file imports only from lower floors and its own room', () => {
    const wrong = imports.filter(
      ({ from, to }) => to.startsWith('src/') && roomOf(from) !== roomOf(to) && floorOf(to) >= floorOf(from),
    );
    expect(wrong.map(named)).toEqual([]);
  });

  test('there is no circle', () => {
    const next = Map.groupBy(imports, ({ from }) => from);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (done.has(file) || path.includes(file)) return;
      for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  test.each([
    { what: 'typeorm and its drivers', pattern: /^(typeorm|sqlite3|pg)(\/|$)/, rooms: ['db'] },
    { what: 'the generated code', pattern: /^gen\//, rooms: ['rpc', 'process'] },
    { what: 'connect', pattern: /^@connectrpc\//, rooms: ['rpc', 'http', 'process'] },
    { what: 'protobuf', pattern: /^@bufbuild\//, rooms: ['rpc', 'process'] },
    { what: 'HTTP', pattern: /^node:http2?$/, rooms: ['rpc', 'sync', 'http', 'process'] },
  ])('$what stays in $rooms', ({ pattern, rooms }) => {
    const users = imports.filter(({ to }) => pattern.test(to));
    expect(users.length).toBeGreaterThan(0);
    expect(users.filter(({ from }) => !rooms.includes(roomOf(from))).map(named)).toEqual([]);
  });

  test.each(['src/rpc/health', 'src/rpc/reflection', 'src/rpc/lane'])('%s could be a package', (folder) => {
    const own = imports.filter(({ from }) => from.startsWith(`${folder}/`));
    expect(own.length).toBeGreaterThan(0);
    const foreign = own.filter(({ to }) => to.startsWith('src/') && !to.startsWith(`${folder}/`));
    expect(foreign.map(named)).toEqual([]);
  });

  test('only config reads the environment', () => {
    const readers = files.filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('process.env'));
    expect(readers.map(roomOf)).toEqual(['config']);
  });
});
