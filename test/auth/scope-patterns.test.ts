import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EVERY_SCOPE, PatternError, ScopePatterns } from '../../src/rpc/auth/scope-patterns.ts';

const scope = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);

describe('patterns of scopes', () => {
  test.each([
    ['*', 'play', true],
    ['*', EVERY_SCOPE, true],
    ['play', 'play', true],
    ['play', 'plays', false],
    ['play', 'Play', false],
    ['play', EVERY_SCOPE, false],
    ['play-*', 'play-1', true],
    ['play-*', 'play-', true],
    ['play-*', 'play', false],
    ['play-*', 'xplay-1', false],
    ['play-*', 'x/play-1', false],
    ['play-*', EVERY_SCOPE, false],
    ['a.c', 'abc', false],
    ['..', 'anything', false],
  ] as const)('%s holds %s: %s', (pattern, asked, holds) => {
    expect(new ScopePatterns([pattern]).include(asked)).toBe(holds);
  });

  test.each([
    '',
    '**',
    '*play',
    'pl*y',
    'play-**',
    '../',
    '../*',
    'play/*',
    'a b',
    'a,b',
    'play\n',
    '\nplay',
    'рlay-*',
    'ｐlay',
    'play\u200b',
    'play?',
    '[a]',
    '.+',
    '(x)',
    `${'x'.repeat(65)}`,
    `${'x'.repeat(64)}*`,
  ])('%j is refused', (pattern) => {
    expect(() => new ScopePatterns([pattern])).toThrow(PatternError);
    expect(() => new ScopePatterns(['*', pattern])).toThrow(PatternError);
  });

  test('look-alike letters are other letters', () => {
    const patterns = new ScopePatterns(['play', 'play-*']);
    for (const other of [
      'рlay',
      'plаy',
      'play\u0000',
      'ＰＬＡＹ',
      'play ',
      ' play',
      'play-'.normalize('NFKD').toUpperCase(),
    ])
      expect([other, patterns.include(other)]).toEqual([other, false]);
  });

  test('whatever the scopes: a name holds itself alone, a beginning what begins with it', () => {
    fc.assert(
      fc.property(scope, scope, fc.nat(63), (pattern, asked, length) => {
        expect(new ScopePatterns([pattern]).include(asked)).toBe(pattern === asked);
        const beginning = asked.slice(0, Math.min(length, 62) + 1).slice(0, 63);
        expect(new ScopePatterns([`${beginning}*`]).include(asked)).toBe(true);
        if (!pattern.startsWith(beginning))
          expect(new ScopePatterns([`${beginning}*`]).include(pattern)).toBe(false);
        expect(new ScopePatterns([]).include(asked)).toBe(false);
      }),
    );
  });
});
