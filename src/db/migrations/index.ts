import { Initial1795478400000 } from './1795478400000-initial.ts';

/** Every migration, oldest first. */
export const MIGRATIONS = [Initial1795478400000];
