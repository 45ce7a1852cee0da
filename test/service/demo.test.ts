// The demo as people start it.
import { expect, test } from 'vitest';
import { runProgram } from './program.ts';

type Summary = {
  readonly eventsIn: number;
  readonly labelsOut: number;
  readonly labels: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly clusters: readonly { readonly collection: string; readonly id: string; readonly size: number; readonly samples: readonly { readonly text: string }[] }[];
  readonly noise: number;
  readonly deadLetters: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly longestStallMs: number;
};

test('the demo labels, clusters and explains what it could not use, without stalling its main loop', { timeout: 180_000 }, async () => {
  const { code, stdout, stderr } = await runProgram('demo', '--json');
  expect(code, stderr).toBe(0);
  const summary = JSON.parse(stdout) as Summary;
  expect(summary).toMatchObject({ eventsIn: 777, deadLetters: { LS_TASK_INPUT: 6, LS_MODEL_INPUT: 2, LS_IMAGE_CORRUPT: 4 } });
  // Two results for each good text (477) and image (55), one for each good record (238), and what later items changed of earlier ones.
  expect(summary.labelsOut).toBeGreaterThanOrEqual(477 * 2 + 55 * 2 + 238);
  const clustersOf = (wanted: string) => summary.clusters.filter(({ collection }) => collection === wanted);
  expect(clustersOf('texts').length).toBeGreaterThanOrEqual(8);
  for (const { size, samples } of clustersOf('texts')) {
    expect(size).toBeGreaterThanOrEqual(5);
    expect(samples[0]?.text).not.toBe('');
  }
  // Five things, ten drawings of each; the odd ones are of no cluster.
  const things = clustersOf('images').map(({ size, samples }) => [...new Set(samples.map(({ text }) => text.split('-')[0])), size].join(' '));
  expect(things.sort()).toEqual(['butterfly 10', 'cat 10', 'key 10', 'sailboat 10', 'umbrella 10']);
  // The classifier has no label for the five odd ones, which get whatever is nearest.
  for (const thing of ['butterfly', 'cat', 'key', 'sailboat', 'umbrella']) expect(summary.labels['images/object']?.[thing], thing).toBeGreaterThanOrEqual(9);
  expect(Object.keys(summary.labels).sort()).toEqual(['banknotes/predict', 'images/object', 'texts/topic']);
  expect(summary.noise).toBeGreaterThanOrEqual(5);
  expect(summary.seconds).toBeLessThan(30);
  // CPU time of the main thread, so other people's work on the machine hardly counts; what it does add is added now and then, and not to every run.
  const stalls = [summary.longestStallMs];
  while (Math.min(...stalls) >= 50 && stalls.length < 3) stalls.push((JSON.parse((await runProgram('demo', '--json')).stdout) as Summary).longestStallMs);
  expect(Math.min(...stalls)).toBeLessThan(50);
});

test('two runs of the demo give the same clusters', async () => {
  const [first, second] = await Promise.all([runProgram('demo', '--json'), runProgram('demo', '--json')]);
  const sizes = (stdout: string): number[] => (JSON.parse(stdout) as Summary).clusters.map(({ size }) => size).sort((left, right) => right - left);
  expect(sizes(first.stdout)).toEqual(sizes(second.stdout));
});
