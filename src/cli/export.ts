import { rename, rm, writeFile } from 'node:fs/promises';
import { quote } from '../config/mask.ts';
import { CommandError, type Options } from './command.ts';
import { readHeld, understand } from './fountain/held.ts';
import { writeFountain } from './fountain/write.ts';
import { print } from './output.ts';
import { scopeOf, withRemote } from './remote.ts';

/** Writes the screenplay of a scope as a Fountain file, or to standard output. Returns the exit code. */
export async function exportFountain(options: Options): Promise<number> {
  const scope = scopeOf(options);
  const text = await withRemote(options, async ({ client, signal }) => {
    const { script, blocks, astray } = understand(await readHeld(client, scope, signal), scope);
    if (script === undefined) throw new CommandError(`scope ${scope} holds no script; import one first`, 1);
    const [lost] = astray;
    if (lost !== undefined)
      throw new CommandError(
        `${lost.type} ${lost.element.id} stands in section ${lost.scene}, which is not there; ` +
          'an import was aborted: run it again',
        1,
      );
    return writeFountain(
      script,
      blocks.map(({ body }) => body),
    );
  });
  const { output } = options;
  if (typeof output !== 'string' || output === '-') print(text.slice(0, -1));
  else await writeWhole(output, text);
  return 0;
}

/** Writes a file so that it never holds half of the text. */
async function writeWhole(file: string, text: string): Promise<void> {
  const partial = `${file}.${process.pid}.part`;
  try {
    await writeFile(partial, text, { flag: 'wx' });
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CommandError(`${quote(file)} cannot be written (${code})`, 1);
  }
}
