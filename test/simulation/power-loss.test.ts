import { describe, expect, test } from 'vitest';
import { mutants } from './mutants.ts';
import { simulatePowerLoss } from './power-loss-simulation.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const crashes = full ? 10_000 : 400;

describe('power loss', () => {
  test(`loses nothing acknowledged in ${crashes} crashes`, { timeout: 1_200_000 }, async () => {
    const result = await simulatePowerLoss({ seed, crashes });
    console.log(`power loss, seed ${seed}:`, JSON.stringify({ ...result, places: Object.fromEntries(result.places) }));
    expect(result.violation, `seed ${seed}`).toBeUndefined();
    for (const place of ['append', 'segment roll', 'journal write', 'journal roll', 'recovery', 'topic creation', 'retention']) {
      expect(result.places.get(place), `crashes in ${place}, seed ${seed}`).toBeGreaterThanOrEqual(full ? 100 : 1);
    }
    // Otherwise the crashes would not have hit anything in flight.
    expect(result.lost).toBeGreaterThan(crashes / 10);
    expect(result.survivedUnacknowledged).toBeGreaterThan(0);
    expect(result.removed).toBeGreaterThan(0);
  });

  test.each(Object.entries(mutants))('catches the mutant: %s', { timeout: 600_000 }, async (name, mutate) => {
    const result = await simulatePowerLoss({ seed, crashes: 20_000, mutate });
    console.log(`mutant "${name}", seed ${seed}: after ${result.crashes} crashes, ${result.violation ?? 'not caught'}`);
    expect(result.violation, `seed ${seed}`).toBeDefined();
  });
});
