import { expect, test } from 'vitest';
import { renderLane } from './render.ts';

test('docs/lane.md says what the table of differences says', async () => {
  await expect(renderLane()).toMatchFileSnapshot(new URL('../../../docs/lane.md', import.meta.url).pathname);
});
