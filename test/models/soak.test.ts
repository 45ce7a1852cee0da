// Full load for a while, models loaded, unloaded and reloaded beside it: every item is answered, and memory stays what it is. Ten minutes with
// LABELSTREAM_TEST_SCALE=full; otherwise seconds, in which a slope is noise, so that only what grows by much is seen.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { jsonLines, repository } from '../service/program.ts';
import { mean, slopeOf } from '../slope.ts';

const isFull = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seconds = isFull ? 600 : 20;
/** Of the mean resident set, per 100,000 items. */
const slopeMax = 0.01;
/** Of the mean of the third quarter of a short run: the last may be so much larger. */
const growthMax = 0.15;

type Sample = { readonly seconds: number; readonly items: number; readonly residentBytes: number };

test('at full load, models come and go, nothing fails, and memory is flat', { timeout: 1000 * (seconds + 240) }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'soak-child.ts'), String(seconds), join(repository, 'models')], {
    env: { ...process.env, NODE_OPTIONS: '--max-semi-space-size=16', MALLOC_MMAP_THRESHOLD_: '1048576' },
    maxBuffer: 64 * 1024 * 1024,
  });
  const lines = jsonLines(stdout);
  const outcome = lines.at(-1);
  expect(outcome).toMatchObject({ failed: 0, failures: [], states: { texts: 'ready', images: 'ready' } });
  expect(outcome?.['operations']).toBeGreaterThanOrEqual(5);
  const samples = lines.slice(0, -1) as unknown as readonly Sample[];
  const quarter = (from: number): readonly Sample[] => samples.filter((sample) => sample.seconds >= (from * seconds) / 4 && sample.seconds < ((from + 1) * seconds) / 4);
  const residentMean = (samples: readonly Sample[]): number => mean(samples.map(({ residentBytes }) => residentBytes));
  const [third, fourth] = [residentMean(quarter(2)), residentMean(quarter(3))];
  const half = [...quarter(2), ...quarter(3)];
  const slope = (100_000 * slopeOf(half.map(({ items, residentBytes }) => ({ x: items, y: residentBytes })))) / residentMean(half);
  console.log(
    `${String(outcome?.['items'])} items and ${String(outcome?.['operations'])} operations in ${seconds} s: ${Math.round(third / 2 ** 20)} MiB resident, then ${Math.round(fourth / 2 ** 20)}; ` +
      `per 100,000 items ${(slope * 100).toFixed(2)} % of it more`,
  );
  if (isFull) expect(slope).toBeLessThan(slopeMax);
  else expect(fourth).toBeLessThan((1 + growthMax) * third);
});
