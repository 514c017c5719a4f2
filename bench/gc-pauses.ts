/** Garbage-collection pauses of one kind, from the service's own metrics. */
export interface GcPauses {
  readonly kind: string;
  readonly pauses: number;
  readonly meanMs: number;
  readonly totalMs: number;
  /** Pauses above 10 ms and above 100 ms: the histogram's bounds. */
  readonly above10ms: number;
  readonly above100ms: number;
}

const LINE = /^sequence_nodejs_gc_duration_seconds_(bucket|sum|count)\{([^}]*)\} (\S+)$/gm;

/** What was added between two readings of the metrics page. */
export function gcPauses(before: string, after: string): GcPauses[] {
  const [from, to] = [readings(before), readings(after)];
  const kinds = new Set([...to.keys()].map((key) => key.split(' ')[0]!));
  return [...kinds].toSorted().flatMap((kind) => {
    const added = (what: string) => (to.get(`${kind} ${what}`) ?? 0) - (from.get(`${kind} ${what}`) ?? 0);
    const pauses = added('count');
    if (pauses === 0) return [];
    const totalMs = added('sum') * 1000;
    return [
      {
        kind,
        pauses,
        meanMs: totalMs / pauses,
        totalMs,
        above10ms: pauses - added('0.01'),
        above100ms: pauses - added('0.1'),
      },
    ];
  });
}

/** `minor sum`, `minor count`, `minor 0.01` for the bucket up to 10 ms. */
function readings(page: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const [, what, labels, value] of page.matchAll(LINE)) {
    const [, kind] = /kind="([^"]*)"/.exec(labels!)!;
    const bound = /le="([^"]*)"/.exec(labels!)?.[1];
    values.set(`${kind} ${what === 'bucket' ? bound : what}`, Number(value));
  }
  return values;
}
