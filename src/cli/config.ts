import { describeConfig, loadConfig, readEnvironment } from '../config.ts';
import { print, printError } from './output.ts';

/** Prints the effective configuration, and the warnings to standard error. Returns the exit code. */
export async function showConfig(): Promise<number> {
  const config = loadConfig(readEnvironment());
  for (const warning of config.warnings) printError(`warning: ${warning}`);
  for (const line of describeConfig(config)) print(line);
  return 0;
}
