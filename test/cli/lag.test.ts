// `lag`, without a run and beside one.
import { expect, test, vi } from 'vitest';
import { inputTopics, topics } from '../../src/core/topics.ts';
import { withDirectory, writeConfiguration } from '../service/program.ts';
import { objects, notesConfiguration, succeed, withRun } from './fixtures.ts';
import { appendRecords } from './log-access.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const note = { variance: 1, skewness: 2, curtosis: 3, entropy: 4 };
const notes = (prefix: string, count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, note]));

test('tells what is committed, what is there and how old the oldest of it is', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    const lag = async () => {
      const told = await objects('lag', '-c', file);
      return { of: (topic: string) => told.find((row) => row['topic'] === topic), topics: told.slice(0, -1).map((row) => row['topic']), total: told.at(-1)?.['total'] };
    };
    await appendRecords(file, notes('a', 5));
    const first = await lag();
    expect(first.topics).toEqual([...inputTopics, topics.features]);
    expect(first.of(topics.record)).toEqual({
      group: 'labelstream-extract', topic: topics.record, partition: 0, committed: null, end: 5, lag: 5, oldestAgeMs: expect.any(Number) as number, positionLost: false, paused: false,
    });
    expect(first.total).toEqual({ lag: 5, oldestAgeMs: first.of(topics.record)?.['oldestAgeMs'] });

    await succeed('run', '-c', file, '--until-idle');
    expect((await lag()).of(topics.record)).toMatchObject({ committed: 4, end: 5, lag: 0, oldestAgeMs: null });
    await appendRecords(file, notes('b', 3));
    const behind = await lag();
    expect(behind.of(topics.record)).toMatchObject({ committed: 4, end: 8, lag: 3 });
    expect(behind.of(topics.features)).toMatchObject({ group: 'labelstream-cluster', lag: 0, oldestAgeMs: null });
    expect(behind.total).toMatchObject({ lag: 3 });
    expect((await succeed('lag', '-c', file)).stdout).toMatch(/^GROUP +TOPIC +PARTITION +COMMITTED +LAST +LAG[^]*\nlabelstream-extract +record\.events +0 +4 +7 +3 +\d[^]*\ntotal +3 +\d/);

    // Nothing is behind: the last one committed is the last one.
    await succeed('run', '-c', file, '--until-idle');
    expect((await succeed('lag', '-c', file)).stdout).toMatch(/\nlabelstream-extract +text\.events +0 +start +none +0\nlabelstream-extract +record\.events +0 +7 +7 +0\n/);

    await withRun(file, async () => {
      await appendRecords(file, notes('c', 2));
      // Its absence is what times the test out.
      for (let live = await lag(); live.of(topics.record)?.['committed'] !== 9; live = await lag()) expect(live.of(topics.record)).toMatchObject({ end: 10 });
      expect((await lag()).total).toEqual({ lag: 0, oldestAgeMs: null });
    });
  });
});
