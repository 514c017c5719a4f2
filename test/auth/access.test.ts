import { describe, expect, test } from 'vitest';
import { ACCESS, accessOf } from '../../src/rpc/auth/access.ts';
import { SERVICES } from '../../src/rpc/handler.ts';
import { readContract } from '../support/contract.ts';

const methods = SERVICES.flatMap((service) => service.methods);
const nameOf = (method: (typeof methods)[number]) => `${method.parent.typeName}/${method.name}`;

describe('the table of what each method asks', () => {
  test('has an entry for each method that is served, and for nothing else', () => {
    expect(Object.keys(ACCESS).sort()).toEqual(methods.map(nameOf).sort());
  });

  test('has an entry for each method of the contract', () => {
    const inContract = readContract().methods.map(
      ({ service, name }) => `fountain.sequence.v1.${service}/${name}`,
    );
    expect(inContract.length).toBeGreaterThan(10);
    expect(Object.keys(ACCESS)).toEqual(expect.arrayContaining(inContract));
  });

  test('gives to read what has no side effects, and nothing else', () => {
    for (const { service, name, hasNoSideEffects } of readContract().methods) {
      const access = ACCESS[`fountain.sequence.v1.${service}/${name}`];
      if (service !== 'SequenceService') continue;
      expect([name, access]).toEqual([
        name,
        { permission: hasNoSideEffects ? 'read' : 'write', in: 'its scope' },
      ]);
    }
  });

  test('asks for a scope where the request names one', () => {
    for (const method of methods) {
      const access = accessOf(method);
      const asksItsScope = typeof access === 'object' && access.in === 'its scope';
      const namesScope = method.input.fields.some(({ name }) => name === 'scope');
      expect([nameOf(method), asksItsScope]).toEqual([nameOf(method), namesScope]);
      // The interceptor reads a scope of a message, not of a stream of them.
      if (asksItsScope) expect(method.methodKind).toBe('unary');
    }
  });

  test('what is open is health alone', () => {
    const open = Object.keys(ACCESS).filter((name) => ACCESS[name] === 'open');
    expect(open).toEqual(['Check', 'Watch', 'List'].map((name) => `grpc.health.v1.Health/${name}`));
  });
});
