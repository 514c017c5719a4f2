import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The repository. */
export const ROOT = new URL('../..', import.meta.url).pathname;

/** An instruction of a Dockerfile, continuation lines joined. */
export interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

/** What a Dockerfile copies: from the build's context, or from an earlier stage. */
export interface Copy {
  readonly stage: string | undefined;
  readonly sources: readonly string[];
}

/** The instructions of the repository's Dockerfile, all stages. */
export function readDockerfile(): Instruction[] {
  return readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, keyword, text] = /^([A-Z]+)\s+(.*?)\s*$/.exec(line)!;
      return { keyword: keyword!, text: text! };
    });
}

/** The instructions of the last stage, which becomes the image. */
export function finalStage(instructions: readonly Instruction[]): Instruction[] {
  return instructions.slice(instructions.findLastIndex(({ keyword }) => keyword === 'FROM'));
}

/** The texts of all instructions with this keyword. */
export function textsOf(instructions: readonly Instruction[], keyword: string): string[] {
  return instructions.filter((instruction) => instruction.keyword === keyword).map(({ text }) => text);
}

/** The pairs of all ENV or LABEL instructions. */
export function pairsOf(
  instructions: readonly Instruction[],
  keyword: 'ENV' | 'LABEL',
): Record<string, string> {
  const pairs = textsOf(instructions, keyword).flatMap((text) => [
    ...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g),
  ]);
  return Object.fromEntries(pairs.map(([, name, quoted, plain]) => [name, quoted ?? plain]));
}

/** The arguments of an instruction in exec form; throws for the shell form. */
export function argumentsOf(text: string): string[] {
  return JSON.parse(text.slice(text.indexOf('['))) as string[];
}

/** The COPY instructions. */
export function copiesOf(instructions: readonly Instruction[]): Copy[] {
  return textsOf(instructions, 'COPY').map((text) => {
    const words = text.split(/\s+/);
    const stage = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
    return { stage, sources: words.filter((word) => !word.startsWith('--')).slice(0, -1) };
  });
}
