import manifest from '../../package.json' with { type: 'json' };

/** The release of this program, a semantic version without pre-release parts. */
export const RELEASE: string = manifest.version;

/** Whether release `a` is newer than release `b`; both `major.minor.patch`. */
export function isNewerRelease(a: string, b: string): boolean {
  const [x, y] = [a, b].map((release) => release.split('.').map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (x?.[part] ?? 0) - (y?.[part] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
