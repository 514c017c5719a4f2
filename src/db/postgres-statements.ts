const names = new Map<string, { name: string; text: string }>();

/** A statement under its name, which is the same on every connection. There are as many as texts in the code. */
export function prepared(text: string): { name: string; text: string } {
  let statement = names.get(text);
  if (statement === undefined) {
    statement = { name: `s${names.size}`, text };
    names.set(text, statement);
  }
  return statement;
}

/** What the server says of a prepared statement that a migration has overtaken; a new connection prepares it anew. */
export const OVERTAKEN: ReadonlySet<string> = new Set(['0A000', '26000']);
