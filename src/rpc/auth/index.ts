/** Who may call what: credentials become a caller, a caller's grant is held against the table of methods. */
export type { Authenticator, Credentials } from './authenticator.ts';
export { type Caller, covers } from './caller.ts';
export { type Diagnostics, diagnosticsFor } from './diagnostics.ts';
export { openAuthenticator } from './open.ts';
