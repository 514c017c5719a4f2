import { Bench } from './bench.ts';
import { askCapabilities } from './capabilities.ts';
import { within } from './children.ts';
import { GENERATORS } from './load/load.ts';
import { commitOf, machineOf } from './machine.ts';
import { parseOptions, USAGE, UsageError } from './options.ts';
import { Progress } from './progress.ts';
import { type Row, type ScenarioResult, saveResults } from './results.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { PLACEMENT } from './server.ts';
import { Stores } from './stores.ts';
import { printSummary } from './table.ts';

/** No scenario takes this long with the most patient options that make sense. */
const SCENARIO_LIMIT_MS = 60 * 60_000;

process.exitCode = await main();

/** Returns the exit code. */
async function main(): Promise<number> {
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions(process.argv.slice(2), SCENARIOS);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return 2;
  }
  if (options.help || options.list) {
    if (options.help) console.log(USAGE);
    for (const { name, about, onlyByName } of SCENARIOS)
      console.log(`${name.padEnd(12)} ${about}${onlyByName ? ' (only where it is named)' : ''}`);
    return 0;
  }

  const { rounds, seconds } = options;
  const machine = machineOf();
  const day = {
    date: new Date().toISOString().slice(0, 10),
    machine,
    placement: PLACEMENT,
    generators: GENERATORS,
  };
  const commit = commitOf();
  console.log(
    `${machine}\n${PLACEMENT}\nload: ${GENERATORS.join('; ')}\n${rounds} rounds of ${seconds} s, medians (lowest–highest)\n`,
  );

  const progress = new Progress();
  const capabilities = askCapabilities();
  const stores = new Stores();
  const all: Row[] = [];
  let file = '';
  let failed = false;
  try {
    for (const [index, name] of options.scenarios.entries()) {
      const scenario = SCENARIOS.find((each) => each.name === name)!;
      const bench = new Bench({ capabilities, stores, progress, rounds, seconds });
      progress.scenario(name, index + 1, options.scenarios.length);
      try {
        await within(SCENARIO_LIMIT_MS, `the scenario ${name}`, scenario.run(bench));
      } catch (error) {
        // One that cannot be measured does not take the figures of the others with it.
        failed = true;
        progress.clear();
        console.error(`${name} failed:`, error);
      } finally {
        await bench.close();
      }
      all.push(...bench.rows);
      const result: ScenarioResult = {
        at: new Date().toISOString(),
        commit,
        rounds,
        seconds,
        rows: bench.rows,
      };
      file = saveResults({ ...day, scenarios: { [name]: result } });
    }
  } finally {
    progress.clear();
    await stores.close();
  }
  printSummary(all);
  console.log(file);
  const missed = all.some(({ verdict }) => verdict === 'missed');
  return failed || (options.check && missed) ? 1 : 0;
}
