/** The engine, over each of its searches in turn, against the naive oracle and the reference engine, after every step. */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createCensus, median, mergeCensuses, occurrences, report, type Census } from './census.ts';
import { isFull, runAgainstOracle, seed } from './run-scenario.ts';

const scenarioCount = isFull ? 2050 : 24;
const stepCount = 100;
const occurrencesMin = isFull ? 500 : 25;

async function inThisProcess(): Promise<Census> {
  const census = createCensus();
  for (let index = 0; index < scenarioCount; index++) await runAgainstOracle(index, stepCount, census);
  return census;
}

/** As many processes as there are cores. */
async function inProcesses(): Promise<Census> {
  const count = availableParallelism();
  const run = async (first: number): Promise<Census> => {
    const parameters = [join(import.meta.dirname, 'fuzz-child.ts'), ...[first, count, scenarioCount, stepCount].map(String)];
    const { stdout } = await promisify(execFile)(process.execPath, parameters, { maxBuffer: 2 ** 28 });
    return JSON.parse(stdout) as Census;
  };
  return mergeCensuses(await Promise.all(Array.from({ length: count }, (_, first) => run(first))));
}

describe('incremental DBSCAN under fuzzing', () => {
  test('equals the naive oracle after every step: partition, ids, transitions, assignments, aliases', { timeout: 7_200_000 }, async () => {
    const census = await (isFull ? inProcesses() : inThisProcess());
    console.log(`seed ${seed}: ${report(census)}`);
    expect(census.liveCounts).toHaveLength(scenarioCount * stepCount);
    for (const occurrence of occurrences) expect(census.counts[occurrence], occurrence).toBeGreaterThanOrEqual(occurrencesMin);
    expect(median(census.liveCounts)).toBeGreaterThanOrEqual(60);
    expect(largest(census.liveCounts)).toBeGreaterThanOrEqual(350);
    expect(largest(census.liveCounts)).toBeLessThanOrEqual(400);
  });
});

/** Of more numbers than a call takes arguments. */
function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}
