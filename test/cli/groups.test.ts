// `groups reset`: the way on after retention removed what was not processed yet (SEMANTICS.md, rule 23).
import { expect, test, vi } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { notesConfiguration, objects, succeed, withRun } from './fixtures.ts';
import { appendRecords } from './log-access.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const note = { variance: 1, skewness: 2, curtosis: 3, entropy: 4 };
const notes = (prefix: string, count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, note]));
const reset = (file: string, ...parameters: readonly string[]) => ['groups', 'reset', '--topic', topics.record, ...parameters, '-c', file];

test('a lost position stops run, with the gap; the operator accepts it, and run goes on', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1, segmentBytes: 4096, retention: { topics: { record.events: { bytes: 4096 } } } }\n`);
    await appendRecords(file, notes('a', 5));
    await succeed('run', '-c', file, '--until-idle');
    await appendRecords(file, notes('b', 200));

    const stopped = await runProgram('run', '-c', file, '--until-idle');
    expect(stopped.code).toBe(1);
    const gap = /Partition 0 of record\.events holds the sequences (\d+) to before 205; the position to read from is 5\. \[LS_TRANSPORT_POSITION_LOST\]/.exec(stopped.stderr);
    expect(stopped.stderr).toMatch(/labelstream groups reset`/);
    const start = Number(gap?.[1]);
    expect(start).toBeGreaterThan(5);
    const position = { group: 'labelstream-extract', topic: topics.record, partition: 0, before: 5, next: start };
    expect((await objects('lag', '-c', file)).find(({ topic }) => topic === topics.record)).toMatchObject({ positionLost: true });
    expect(await objects(...reset(file, '--to', 'earliest', '--dry-run'))).toEqual([{ ...position, dryRun: true }]);
    expect((await runProgram('run', '-c', file, '--until-idle')).code).toBe(1);

    const set = await succeed(...reset(file, '--to', '7'));
    expect(set.stderr).toContain('the positions are set\n');
    expect(set.stdout).toMatch(new RegExp(`\\nlabelstream-extract +record\\.events +0 +5 +${start} +${start - 5} left out\\n$`));
    const done = await succeed('run', '-c', file, '--until-idle');
    expect(done.stderr).toContain(`"handled":{"record.events":${205 - start}}`);
    expect((await succeed(...reset(file, '--to', 'latest'))).stdout).toMatch(/ 205 +205 +none\n$/);
  });
});

test('is refused while a run works, beside which a dry run tells; takes places and no others', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 2 }\n`);
    await appendRecords(file, notes('a', 20));
    const lost = ['groups', 'reset', '-c', file, '--topic', topics.features, '--to', 'earliest', '--partition', '1'];
    expect(await objects(...lost)).toMatchObject([{ group: 'labelstream-cluster', partition: 1, before: null, next: 0, dryRun: false }]);
    await succeed('run', '-c', file, '--until-idle');
    await withRun(file, async () => {
      const refused = await runProgram(...reset(file, '--to', 'earliest'));
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/Process \d+ owns the log directory .*\[LS_LOG_OWNED\]/) as string]);
      expect(await objects(...reset(file, '--to', 'earliest', '--partition', '1', '--dry-run'))).toMatchObject([{ partition: 1, next: 0, dryRun: true }]);
    });
    expect(await objects(...reset(file, '--to', '2001-01-01'))).toMatchObject([{ partition: 0, next: 0 }, { partition: 1, next: 0 }]);
    // The same results, under the same ids.
    expect((await succeed('run', '-c', file, '--until-idle')).stderr).toContain('"handled":{"record.events":20}');

    const usage = async (...parameters: readonly string[]) => (await runProgram('groups', 'reset', '-c', file, ...parameters)).stderr;
    expect(await usage('--topic', topics.labels, '--to', 'earliest')).toContain('Allowed choices are');
    expect(await usage('--topic', topics.features, '--to', 'earliest')).toContain('labelstream-cluster has its positions in features');
    expect(await usage('--topic', topics.record, '--to', 'yesterday')).toContain('--to yesterday is no time');
    expect(await usage('--topic', topics.record, '--to', 'latest', '--partition', '2')).toContain('there is no partition 2');
  });
});

test('of a group that never started the effect is told by where it would begin', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}transport: { partitionCount: 1 }\n`);
    await appendRecords(file, notes('a', 20));
    const effect = async (...parameters: readonly string[]) => (await succeed(...reset(file, '--dry-run', ...parameters))).stdout.trimEnd().split('  ').at(-1)?.trim();
    expect(await effect('--to', 'earliest')).toBe('none');
    expect(await effect('--to', '5')).toBe('5 left out');
    expect(await effect('--to', 'latest')).toBe('20 left out');
    const beginsLast = ['--set', 'startAt=latest'];
    expect(await effect('--to', 'latest', ...beginsLast)).toBe('none');
    expect(await effect('--to', 'earliest', ...beginsLast)).toBe('20 more');
  });
});
