import { createContextKey } from '@connectrpc/connect';
import { type EVERY_SCOPE, ScopePatterns } from './scope-patterns.ts';

/** What a caller may do; each includes those before it. */
export const PERMISSIONS = ['read', 'write', 'admin'] as const;

/** One of {@link PERMISSIONS}. */
export type Permission = (typeof PERMISSIONS)[number];

/** What a caller may do, and where. */
export interface Grant {
  /** The strongest one; undefined: nothing at all. */
  readonly permission: Permission | undefined;
  readonly scopes: ScopePatterns;
}

/** Who makes a call. */
export interface Caller {
  /**
   * In the log, in the history, and a part of the key of its request ids. The kind of the credential is a part of it
   * (`cert:` and `jwt:`; the names of tokens have no colon), so that nobody can take another's by bringing another kind.
   */
  readonly name: string;
  readonly grant: Grant;
}

const EVERYTHING: Grant = { permission: 'admin', scopes: new ScopePatterns(['*']) };
const NOTHING: Grant = { permission: undefined, scopes: new ScopePatterns([]) };

/** Everybody, where nobody is asked who they are. */
export const ANYONE: Caller = { name: '', grant: EVERYTHING };

/** A caller who may do everything. */
export function allowedEverything(name: string): Caller {
  return { name, grant: EVERYTHING };
}

/** A caller who is known and may do nothing. */
export function allowedNothing(name: string): Caller {
  return { name, grant: NOTHING };
}

/** Whether a grant covers a permission in a scope, in every scope, or (undefined) in any scope. */
export function covers(
  { permission, scopes }: Grant,
  needed: Permission,
  scope: string | typeof EVERY_SCOPE | undefined,
): boolean {
  if (permission === undefined || PERMISSIONS.indexOf(permission) < PERMISSIONS.indexOf(needed)) return false;
  return scope === undefined ? !scopes.none : scopes.include(scope);
}

/** Who makes the call; set by the interceptor `authenticate`, nobody in calls that are open to all. */
export const CALLER = createContextKey<Caller>(allowedNothing(''), { description: 'caller' });
