import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { loadConfig } from '../../src/config.ts';
import { argumentsOf, copiesOf, finalStage, pairsOf, ROOT, readDockerfile, textsOf } from './dockerfile.ts';

/** Loaded where it is installed, done without where it is not. */
const OPTIONAL = ['pino-pretty'];

const dockerfile = readDockerfile();
const image = finalStage(dockerfile);
const environment = pairsOf(image, 'ENV');
const copied = (instructions: typeof dockerfile) =>
  copiesOf(instructions)
    .filter(({ stage }) => stage === undefined)
    .flatMap(({ sources }) => sources);

describe('Dockerfile', () => {
  test('every stage stands on the Node that development uses', () => {
    const major = manifest.devDependencies.node.split('.')[0];
    const bases = textsOf(dockerfile, 'FROM').map((text) => text.split(/\s+/)[0]);
    expect(bases).toEqual(bases.map(() => `node:${major}-bookworm-slim`));
    expect(bases.length).toBeGreaterThan(1);
  });

  test('what it copies exists, and a stage that it copies from too', () => {
    expect(copied(dockerfile).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    const stages = textsOf(dockerfile, 'FROM').map((text) => text.split(/\s+AS\s+/)[1]);
    for (const { stage } of copiesOf(dockerfile)) if (stage !== undefined) expect(stages).toContain(stage);
  });

  test('.dockerignore lets through what is copied, and nothing else', () => {
    const lines = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
    const [first, ...allowed] = lines.filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).toBe('*');
    expect(allowed.toSorted()).toEqual([...new Set(copied(dockerfile))].map((path) => `!${path}`).toSorted());
  });

  test('node runs, as process 1 and in the health check, a script that is in the image', () => {
    const commands = [...textsOf(image, 'ENTRYPOINT'), ...textsOf(image, 'HEALTHCHECK')].map(argumentsOf);
    expect(commands).toHaveLength(2);
    for (const [program, ...rest] of commands) {
      const script = rest.find((part) => !part.startsWith('--'));
      expect(program).toBe('node');
      expect(existsSync(join(ROOT, script!))).toBe(true);
      expect(copied(image)).toContain(script!.split('/')[0]);
    }
    expect(textsOf(image, 'CMD').map(argumentsOf)).toEqual([['serve']]);
    expect(textsOf(image, 'STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  test('node has the flags of npm start', () => {
    const [, ...rest] = argumentsOf(textsOf(image, 'ENTRYPOINT')[0]!);
    const start = manifest.scripts.start.split(' ');
    expect(rest.slice(0, -1)).toEqual(start.slice(start.indexOf('node') + 1, -1));
    expect(rest.length).toBeGreaterThan(1);
  });

  test('and its environment, but for what Node keeps, which cannot be written', () => {
    const { start } = manifest.scripts;
    const given = start
      .slice(0, start.indexOf('exec'))
      .trim()
      .split(' ')
      .filter((pair) => !pair.startsWith('NODE_COMPILE_CACHE='));
    const pairs = Object.fromEntries(given.map((pair: string) => pair.split('=')));
    expect(pairs).toEqual({ MALLOC_ARENA_MAX: expect.any(String) });
    expect(environment).toMatchObject(pairs);
  });

  test('it is not run as root, and writes only to the volume', () => {
    const [user] = textsOf(image, 'USER');
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const [uid, gid] = user!.split(':');
    const [volume] = textsOf(image, 'VOLUME');
    expect(textsOf(image, 'RUN').join()).toContain(`-o ${uid} -g ${gid} ${volume}`);
    expect(loadConfig(environment).database.url).toEqual({
      engine: 'sqlite',
      file: join(volume!, 'sequence.db'),
    });
    expect(environment['SQLITE_TMPDIR']).toBe(volume);
  });

  test('it listens on all addresses, on the port that it exposes', () => {
    const { server } = loadConfig(environment);
    expect(server.host).toBe('0.0.0.0');
    expect(textsOf(image, 'EXPOSE')).toEqual([String(server.port)]);
    expect(environment['NODE_ENV']).toBe('production');
  });

  test('the labels say what package.json says', () => {
    const { description, version, license } = manifest;
    expect(pairsOf(image, 'LABEL')).toEqual({
      'org.opencontainers.image.title': manifest.name.split('/')[1],
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': license,
    });
  });
});

describe('the production install', () => {
  test('runs no script of the project, which would ask for development dependencies or sources', () => {
    const lifecycle = [
      'preinstall',
      'install',
      'postinstall',
      'prepublish',
      'preprepare',
      'prepare',
      'postprepare',
    ];
    expect(Object.keys(manifest.scripts).filter((name) => lifecycle.includes(name))).toEqual([]);
  });

  const files = ['src', 'gen'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|js)$/.test(file))
      .map((file) => join(folder, file)),
  );
  const used = files.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const specifiers = text.matchAll(
      /(?:\bfrom\s+|^import\s+|\bimport\(\s*|\brequire\(\s*)["']([^"'.][^"']*)["']/gm,
    );
    return [...specifiers].map(([, specifier]) => ({ file, name: packageOf(specifier!) }));
  });
  const packages = used.filter(({ name }) => !isBuiltin(name));

  test('has every package that the code imports', () => {
    const installed = [...Object.keys(manifest.dependencies), ...OPTIONAL];
    expect(packages.length).toBeGreaterThan(20);
    expect(packages.filter(({ name }) => !installed.includes(name))).toEqual([]);
  });
});

/** The package of a specifier: `@a/b` of `@a/b/c`. */
function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}
