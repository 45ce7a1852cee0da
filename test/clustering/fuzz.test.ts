/** The engine against the naive oracle, after every step. */
import { describe, expect, test } from 'vitest';
import { createCensus, median, occurrences, report } from './census.ts';
import { isFull, runAgainstOracle, seed } from './run-scenario.ts';

const scenarioCount = isFull ? 520 : 24;
const stepCount = 100;
const occurrencesMin = isFull ? 500 : 25;

describe('incremental DBSCAN under fuzzing', () => {
  test('equals the naive oracle after every step: partition, ids, transitions, assignments, aliases', { timeout: 3_600_000 }, () => {
    const census = createCensus();
    for (let index = 0; index < scenarioCount; index++) runAgainstOracle(index, stepCount, census);
    console.log(`seed ${seed}: ${report(census)}`);
    for (const occurrence of occurrences) expect(census.counts[occurrence], occurrence).toBeGreaterThanOrEqual(occurrencesMin);
    expect(median(census.liveCounts)).toBeGreaterThanOrEqual(60);
    expect(Math.max(...census.liveCounts)).toBeGreaterThanOrEqual(350);
    expect(Math.max(...census.liveCounts)).toBeLessThanOrEqual(400);
  });
});
