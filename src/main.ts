import { keepCompiled } from './cli/compile-cache.ts';
import { endOnSignals } from './cli/early-signals.ts';

endOnSignals();
keepCompiled();
const { run } = await import('./cli/run.ts');
// What `npm start` runs: the command `serve`, in the process that gets the signals.
await run(['serve', ...process.argv.slice(2)]);
