import type { Row } from '../results.ts';
import { type Line, lineChart } from './chart.ts';

const WRITES = ['generate', 'batchGenerate', 'reorder', 'move', 'createVersion', 'remove'];

/** The charts of each RPC by callers: writes and reads of each engine that was measured. */
export function matrixCharts(rows: readonly Row[]): { name: string; svg: string }[] {
  const cells = rows.flatMap(({ id, title, value }) => {
    const [group, engine, call, callers] = id.split('/');
    return group === 'matrix' && value !== null
      ? [{ engine: engine!, call: call!, callers: Number(callers), label: labelOf(title, engine!), value }]
      : [];
  });
  const engines = [...new Set(cells.map(({ engine }) => engine))];
  return engines.flatMap((engine) =>
    (['writes', 'reads'] as const).flatMap((kind) => {
      const lines = new Map<string, Line & { points: [number, number][] }>();
      for (const cell of cells) {
        if (cell.engine !== engine || WRITES.includes(cell.call) !== (kind === 'writes')) continue;
        const line = lines.get(cell.call) ?? { label: cell.label, points: [] };
        line.points.push([cell.callers, cell.value.median]);
        lines.set(cell.call, line);
      }
      if (lines.size === 0) return [];
      const axes = { x: 'callers', y: 'per second', logarithmicX: true, logarithmicY: true } as const;
      const title = `Calls a second: ${kind}, ${engine}, JSON, stock adapter`;
      return [{ name: `matrix-${engine}-${kind}`, svg: lineChart(title, axes, [...lines.values()]) }];
    }),
  );
}

/** `ListElements, 50, sqlite, json, 16 callers` is of `ListElements, 50`. */
function labelOf(title: string, engine: string): string {
  return title.slice(0, title.indexOf(`, ${engine}, `));
}
