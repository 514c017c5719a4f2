import { keepCompiled } from './cli/compile-cache.ts';
import { endOnSignals } from './cli/early-signals.ts';

endOnSignals();
keepCompiled();
const { run } = await import('./cli/run.ts');
await run(process.argv.slice(2));
