import { enableCompileCache } from 'node:module';

/**
 * Has Node keep what it compiles, types stripped, so that the next start need not: half of the time until the service is
 * ready (docs/adr/0003). Beside the packages, where nobody else can write, unlike the system's folder for temporary
 * files; where that is read-only, as in the image, each start compiles anew.
 */
export function keepCompiled(): void {
  enableCompileCache(new URL('../../node_modules/.compile-cache', import.meta.url).pathname);
}
