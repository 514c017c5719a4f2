/** Secrets that stand in a file, as Docker and Kubernetes hand them out. */

import { readFileSync, statSync } from 'node:fs';
import { Fault } from './kinds.ts';

const MAX_BYTES = 64 * 1024;

/**
 * The text of a small file, without the blanks and line breaks around it.
 *
 * @param name the variable that names the file
 * @throws {Fault} when it cannot be read or is empty; what it holds is not repeated
 */
export function readSecretFile(name: string, path: string): string {
  const fault = (reason: string) => new Fault(`cannot be taken from the file of ${name}: ${reason}`);
  let text: string;
  try {
    if (statSync(path).size > MAX_BYTES) throw fault('it is too large');
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof Fault || !(error instanceof Error)) throw error;
    throw fault('code' in error ? String(error.code) : 'it cannot be read');
  }
  if (text === '') throw fault('it is empty');
  return text;
}
