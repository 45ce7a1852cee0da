/** A part of the fuzzing at full scale: every scenario from argv[2] on, in steps of argv[3], below argv[4], of argv[5] steps each. Prints its census as JSON. */
import { createCensus } from './census.ts';
import { runAgainstOracle } from './run-scenario.ts';

const [first = 0, step = 1, end = 0, stepCount = 0] = process.argv.slice(2).map(Number);
const census = createCensus();
for (let index = first; index < end; index += step) await runAgainstOracle(index, stepCount, census);
process.stdout.write(JSON.stringify(census));
