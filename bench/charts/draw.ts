import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newestResults } from '../results.ts';
import { performancePage } from './page.ts';
import { newestSoaks } from './steady.ts';

const DOCS = new URL('../../docs/', import.meta.url).pathname;

const results = newestResults();
if (results === undefined) {
  console.error('there are no results yet: npm run bench');
  process.exit(1);
}
const { markdown, charts } = performancePage(results, newestSoaks());
const folder = join(DOCS, 'performance');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [name, svg] of charts) writeFileSync(join(folder, name), svg);
writeFileSync(join(DOCS, 'performance.md'), markdown);
console.log(`docs/performance.md and ${charts.size} charts, from the results of ${results.date}`);
