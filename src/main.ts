import { run } from './cli/run.ts';

// What `npm start` runs: the command `serve`, in the process that gets the signals.
await run(['serve', ...process.argv.slice(2)]);
