// The demo as people start it.
import { expect, test } from 'vitest';
import { runProgram } from './program.ts';

type Summary = {
  readonly eventsIn: number;
  readonly labelsOut: number;
  readonly clusters: readonly { readonly id: string; readonly size: number; readonly samples: readonly { readonly text: string }[] }[];
  readonly deadLetters: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly longestStallMs: number;
};

test('the demo labels, clusters and explains what it could not use, without stalling its main loop', async () => {
  const { code, stdout, stderr } = await runProgram('demo', '--json');
  expect(code, stderr).toBe(0);
  const summary = JSON.parse(stdout) as Summary;
  expect(summary).toMatchObject({ eventsIn: 720, deadLetters: { LS_TASK_INPUT: 6, LS_MODEL_INPUT: 2 } });
  // Two results for each good text (474), one for each good record (238), and what later texts changed of earlier ones.
  expect(summary.labelsOut).toBeGreaterThanOrEqual(474 * 2 + 238);
  expect(summary.clusters.length).toBeGreaterThanOrEqual(8);
  for (const { size, samples } of summary.clusters) {
    expect(size).toBeGreaterThanOrEqual(5);
    expect(samples[0]?.text).not.toBe('');
  }
  expect(summary.seconds).toBeLessThan(30);
  // CPU time of the main thread, so other people's work on the machine does not count.
  expect(summary.longestStallMs).toBeLessThan(50);
});

test('two runs of the demo give the same clusters', async () => {
  const [first, second] = await Promise.all([runProgram('demo', '--json'), runProgram('demo', '--json')]);
  const sizes = (stdout: string): number[] => (JSON.parse(stdout) as Summary).clusters.map(({ size }) => size).sort((left, right) => right - left);
  expect(sizes(first.stdout)).toEqual(sizes(second.stdout));
});
