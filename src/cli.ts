import { endOnSignals } from './cli/early-signals.ts';

endOnSignals();
const { run } = await import('./cli/run.ts');
await run(process.argv.slice(2));
