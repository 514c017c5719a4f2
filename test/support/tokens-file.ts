import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tokenDigest } from '../../src/rpc/auth/digest.ts';

/** Callers by name: what they may do, where, and the token that they bring. */
export type Tokens = Readonly<Record<string, readonly [permissions: string, scopes: string, token: string]>>;

/** Writes the file; a name that begins with `cert:` gets no token. */
export async function writeTokens(folder: string, tokens: Tokens): Promise<string> {
  const path = join(folder, 'tokens');
  await writeFile(path, tokensText(tokens));
  return path;
}

export function tokensText(tokens: Tokens): string {
  const lines = Object.entries(tokens).map(([name, [permissions, scopes, token]]) =>
    [name, permissions, scopes, ...(name.startsWith('cert:') ? [] : [tokenDigest(token)])].join(' '),
  );
  return `# who may do what\n\n${lines.join('\n')}\n`;
}

/** The header that brings a token. */
export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
