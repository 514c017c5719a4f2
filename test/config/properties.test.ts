import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VARIABLES } from '../../src/config/variables.ts';
import { ConfigError, describeConfig, loadConfig } from '../../src/config.ts';

const names = VARIABLES.map(({ name }) => name);
const nearlyRight = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer().map(String),
  fc.tuple(fc.double(), fc.constantFrom('', 's', 'ms', 'MiB', 'h')).map(([n, unit]) => `${n}${unit}`),
  fc
    .tuple(fc.constantFrom('sqlite:///', 'sqlite:', 'https://', 'postgres://u:'), fc.string())
    .map((parts) => parts.join('')),
);

test('whatever the strings: a configuration, or a ConfigError that names what is at fault', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.oneof(fc.constantFrom<string>(...names), fc.string()), nearlyRight),
      (env) => {
        try {
          loadConfig(env, { cwd: '/srv' });
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          const { faults } = error as ConfigError;
          expect(faults.length).toBeGreaterThan(0);
          for (const fault of faults) expect(names.some((name) => fault.startsWith(name))).toBe(true);
        }
      },
    ),
  );
});

test('no secret is in the description, the warnings or the faults', () => {
  // A marker that no other part of the texts can hold by chance.
  const secret = fc
    .string({ minLength: 1 })
    .map((text) => `zq9${text.replaceAll(/[^\x21-\x7e]|[?#/]/g, '')}`);
  fc.assert(
    fc.property(
      secret,
      fc.constantFrom('http://u:%@h/p', 'u:%@h', 'https://h/?key=%', '%@h'),
      (text, form) => {
        const keys = { ADMIN_TOKEN: text, TYPESENSE_SERVICE_API_KEY: text, TYPESENSE_API_KEY: text };
        const config = loadConfig({ ...keys, KEY_MANAGEMENT_URL: 'https://keys.example' });
        const shown = [...describeConfig(config), ...config.warnings].join('\n');
        expect(shown).not.toContain('zq9');
        expect(shown).toContain('ADMIN_TOKEN=********\n');
        const url = form.replace('%', () => text);
        const faulty = {
          ...keys,
          KEY_MANAGEMENT_URL: url,
          TYPESENSE_CLIENT_URL: url,
          DATABASE_URL: `postgres://u:${text}@h/d`,
        };
        expect(() => loadConfig(faulty)).toThrow(ConfigError);
        expect(() => loadConfig(faulty)).not.toThrow('zq9');
        const clash = { ...keys, TYPESENSE_URL: 'http://a', TYPESENSE_CLIENT_URL: 'http://b' };
        expect(() => loadConfig(clash)).not.toThrow('zq9');
      },
    ),
  );
});

test('what is described reads back as the same configuration', () => {
  const env = fc.record(
    {
      PORT: fc.nat(65_535).map(String),
      DEFAULT_DEADLINE: fc.integer({ min: 1, max: 600_000 }).map((ms) => `${ms}ms`),
      IDLE_TIMEOUT: fc.integer({ min: 1, max: 86_400 }).map(String),
      MAX_BODY_BYTES: fc.integer({ min: 1024, max: 32 * 1024 ** 2 }).map(String),
      MAX_HEADER_BYTES: fc.integer({ min: 1, max: 1024 }).map((kib) => `${kib}KiB`),
      DATABASE_URL: fc
        .string({ minLength: 1, maxLength: 40 })
        .map((name) => `sqlite:///x${encodeURIComponent(name)}x`),
      LOG_LEVEL: fc.constantFrom('trace', 'SILENT'),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(env, (given) => {
      const config = loadConfig(given, { cwd: '/srv' });
      const pairs = describeConfig(config).map((line) => line.split(/=(.*)/s).slice(0, 2));
      expect(pairs.map(([name]) => name)).toEqual(names);
      expect(loadConfig(Object.fromEntries(pairs), { cwd: '/elsewhere' })).toEqual(config);
    }),
  );
});
