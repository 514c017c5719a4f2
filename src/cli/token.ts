import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { quote } from '../config/mask.ts';
import { loadConfig, readEnvironment } from '../config.ts';
import { tokenDigest } from '../rpc/auth/digest.ts';
import { parseTokensFile, tokenLine } from '../rpc/auth/tokens-file.ts';
import { CommandError, type Options } from './command.ts';
import { print, printError } from './output.ts';

/** 256 bits: no other token can be found by trying. What is before them is for those who look for leaked tokens. */
const PREFIX = 'seq_';
const BYTES = 32;

/** Makes a token; prints it, and nothing else, to standard output. Returns the exit code. */
export async function token(action: string, name: string, options: Options): Promise<number> {
  if (action !== 'create')
    throw new CommandError(`"cli token" can only create; it is told to ${quote(action)}`, 2);
  const { permissions, scopes } = options;
  if (typeof permissions !== 'string' || typeof scopes !== 'string')
    throw new CommandError(
      '--permissions LIST and --scopes LIST are needed: a token that may do nothing is none',
      2,
    );
  const made = PREFIX + randomBytes(BYTES).toString('base64url');
  const line = tokenLine(name, permissions, scopes, tokenDigest(made));
  check(line);
  const configured = loadConfig(readEnvironment()).auth.tokensFile;
  const file = typeof options['file'] === 'string' ? options['file'] : configured;
  if (file === '') {
    printError('API_TOKENS_FILE is not set; this is the line for it:');
    printError(line);
  } else {
    await append(file, line);
    printError(`${name} has a line in ${file}; its token is shown this once:`);
  }
  print(made);
  return 0;
}

function check(line: string): void {
  try {
    parseTokensFile(line);
  } catch (error) {
    throw new CommandError(`not a token: it ${(error as Error).message.replace(/^line 1 /, '')}`, 2);
  }
}

/** Adds a line to a file, which is made where there is none, for its owner alone. */
async function append(path: string, line: string): Promise<void> {
  try {
    const file = await open(path, 'a+', 0o600);
    try {
      const before = await file.readFile('utf8');
      parseTokensFile(before);
      await file.appendFile(`${before === '' || before.endsWith('\n') ? '' : '\n'}${line}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new CommandError(`${path} was not changed: ${(error as Error).message}`, 1);
  }
}
