import { VARIABLES } from '../../src/config/variables.ts';
import { type Config, type Environment, loadConfig } from '../../src/config.ts';
import { finalStage, pairsOf, readDockerfile } from '../container/dockerfile.ts';

/** Variables that manifests set and a release to come knows: callers. */
const COMING = ['AUTH', 'API_TOKENS_FILE'];

/** Names that no variable of the service has. */
export function unknownNames(names: Iterable<string>): string[] {
  const known = new Set([...VARIABLES.map(({ name }): string => name), ...COMING]);
  return [...names].filter((name) => !known.has(name));
}

/** The configuration of a container of the image with these settings; throws where the service would not start. */
export function imageConfig(settings: Environment): Config {
  return loadConfig({ ...pairsOf(finalStage(readDockerfile()), 'ENV'), ...settings });
}

/** Capability: this release takes `DATABASE_URL=postgres://…`. */
export const HAS_POSTGRES = (() => {
  try {
    imageConfig({ DATABASE_URL: 'postgres://user:password@host:5432/db', AUTH: 'none' });
    return true;
  } catch {
    return false;
  }
})();
