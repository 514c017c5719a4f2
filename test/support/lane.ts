/**
 * What the project of the running tests says of the lane (vitest.config.ts); nothing where the default is tested.
 * Whoever starts a service for a test puts it first into its environment.
 */
export function laneOfProject(): { LANE: string } | Record<string, never> {
  const lane = process.env['TEST_LANE'];
  return lane === undefined ? {} : { LANE: lane };
}
