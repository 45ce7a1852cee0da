// `topics repartition` on the embedded log, by the real program, killed on its way.
import { expect, test } from 'vitest';
import { withRun } from '../cli/fixtures.ts';
import { withDirectory, runProgram } from './program.ts';
import { repartitionUpAndDown, writeFamilies } from './repartition-program.ts';

test('features gets another number of partitions, up and down, whenever it is killed; clusters keep their ids', { timeout: 600_000 }, async () => {
  await withDirectory(async (directory) => {
    const file = await writeFamilies(directory, 'kind: log, partitionCount: 1');
    const { interrupted } = await repartitionUpAndDown({ file, delaysMs: [0, 3, 8] });
    expect(interrupted).toBeGreaterThan(0);
  });
});

test('not beside a live run', { timeout: 60_000 }, async () => {
  await withDirectory(async (directory) => {
    const file = await writeFamilies(directory, 'kind: log, partitionCount: 1');
    await withRun(file, async () => {
      const refused = await runProgram('topics', 'repartition', '-c', file, '--set', 'transport.featuresPartitionCount=2');
      expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining('LS_LOG_OWNED') as string]);
      const looked = await runProgram('topics', 'repartition', '--dry-run', '-c', file, '--set', 'transport.featuresPartitionCount=2');
      expect([looked.code, looked.stdout]).toEqual([0, expect.stringContaining('features: 1 partition -> 2') as string]);
    });
  });
});
