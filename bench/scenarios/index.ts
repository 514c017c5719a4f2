import type { Scenario } from '../bench.ts';
import { auth } from './auth.ts';
import { generate } from './generate.ts';
import { generators } from './generators.ts';
import { lane } from './lane.ts';
import { marks } from './marks.ts';
import { matrix } from './matrix.ts';
import { memory } from './memory.ts';
import { postgres } from './postgres.ts';
import { remove } from './remove.ts';
import { reorder } from './reorder.ts';
import { replicas } from './replicas.ts';
import { resync, sends } from './sends.ts';
import { size } from './size.ts';
import { start } from './start.ts';
import { weather } from './weather.ts';

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  generate,
  generators,
  lane,
  marks,
  size,
  postgres,
  replicas,
  reorder,
  remove,
  sends,
  resync,
  weather,
  memory,
  start,
  auth,
  matrix,
];
