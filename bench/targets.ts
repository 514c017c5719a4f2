/** How a figure is written. `share` is a part of one, written in percent. */
export type Unit = 'ratio' | 'share' | 'ms' | 's' | 'MB' | 'per second' | 'microseconds';

/** What a figure has to reach. */
export interface Target {
  readonly at: 'least' | 'most';
  readonly value: number;
}

const least = (value: number): Target => ({ at: 'least', value });
const most = (value: number): Target => ({ at: 'most', value });

/** Every target, by the id of the row that is held against it. A row of another id has none. */
export const TARGETS = {
  'generate/json/64': least(1.0),
  'generate/json/256': least(1.2),
  'generate/grpc/64': least(0.85),
  'lane/empty/json': least(3.5),
  'lane/empty/grpc': least(6),
  'lane/generate/json': least(2.4),
  'lane/generate/grpc': least(3.5),
  'lane/generate/json/p99-by-p50': most(4),
  'marks/of-a-generate': most(0.12),
  'size/sqlite': least(0.9),
  'size/postgres': least(0.9),
  'postgres/pgbench/16': least(2.5),
  'postgres/pgbench/64': least(5),
  'replicas/one-sequence': least(1.3),
  'reorder/sqlite': most(1.3),
  'reorder/postgres': most(1.3),
  'reorder/others-p99': most(1.5),
  'remove/sqlite/others-p99': most(1000),
  'remove/postgres/others-p99': most(1000),
  'sends/typesense-client': least(0.9),
  'sends/typesense': least(0.9),
  'weather/refused': most(1.1),
  'weather/hanging': most(1.1),
  'weather/503': most(1.1),
  'memory/sqlite': most(200),
  'memory/postgres': most(200),
  'start/sqlite': most(1),
  'start/postgres': most(1),
  'auth/tokens': most(0.05),
  'auth/jwt': most(0.1),
} as const satisfies Record<string, Target>;

/** The target of a row, if it has one. */
export function targetOf(id: string): Target | undefined {
  return (TARGETS as Readonly<Record<string, Target>>)[id];
}

export function meets(value: number, target: Target): boolean {
  return target.at === 'least' ? value >= target.value : value <= target.value;
}
