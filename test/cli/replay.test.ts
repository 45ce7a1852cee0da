// `replay` through the real program: what was there comes again under its ids, a new model supersedes, what was forgotten stays away.
import { expect, test, vi } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { decodeOrigin, headerNames } from '../../src/pipeline/headers.ts';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { notesConfiguration, objects, succeed, textsConfiguration, withLog, writeEncoder } from './fixtures.ts';
import { appendRecords, appendTexts, extractedLabels, recordsIn } from './log-access.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const onePartition = 'transport: { partitionCount: 1 }\n';
const note = { variance: 1, skewness: 2, curtosis: 3, entropy: 4 };
const run = (file: string) => succeed('run', '-c', file, '--until-idle');
const byItem = <Label extends { readonly itemId: string }>(labels: readonly Label[], item: string): readonly Label[] => labels.filter(({ itemId }) => itemId === item);

test('repeats ids under the same model and supersedes them under a new revision, in the range and nowhere else', async () => {
  await withDirectory(async (directory) => {
    const configuration = `${notesConfiguration}${onePartition}`;
    const file = await writeConfiguration(directory, configuration);
    await appendRecords(file, { n0: note, n1: note, n2: note, n3: note });
    await run(file);
    const range = ['--topic', topics.record, '--from', '1', '--until', '3', '-c', file];

    const tried = await objects('replay', ...range, '--dry-run');
    expect(tried).toMatchObject([{ topic: topics.record, partition: 0, from: 1, until: 3, records: 2, skipped: 0 }, { replayed: 0, wouldReplay: 2, dryRun: true }]);
    expect(await recordsIn(file, topics.replay)).toEqual([]);

    expect((await succeed('replay', ...range)).stdout).toMatch(/^TOPIC +PARTITION +FROM +UNTIL +RECORDS +FIRST +LAST\nrecord\.events +0 +1 +3 +2 .*\nreplayed 2 records\n$/);
    await run(file);
    const repeated = await extractedLabels(file);
    expect(['n0', 'n1', 'n2', 'n3'].map((id) => byItem(repeated, `s/${id}`).length)).toEqual([1, 2, 2, 1]);
    const [first, second] = byItem(repeated, 's/n1');
    expect(second).toEqual(first);

    await writeConfiguration(directory, configuration.replace('banknote-classifier }', 'banknote-classifier, revision: 2 }'));
    await succeed('replay', ...range);
    await run(file);
    const raised = byItem(await extractedLabels(file), 's/n1').at(-1);
    expect(raised).toMatchObject({ revision: { epoch: 0, number: 2n }, origin: first?.origin });
    expect(raised?.id).not.toBe(first?.id);
  });
});

test('is chosen by append time', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}${onePartition}`);
    for (const id of ['early', 'middle', 'late']) {
      await appendRecords(file, { [id]: note });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const [, middle, late] = (await recordsIn(file, topics.record)).map(({ appendTimeMs }) => new Date(appendTimeMs).toISOString());
    await succeed('replay', '--from', middle!, '--until', late!, '-c', file);
    expect((await recordsIn(file, topics.replay)).map(({ key }) => key?.toString())).toEqual(['s/middle']);
    await succeed('replay', '--from', middle!, '-c', file);
    expect((await recordsIn(file, topics.replay)).map(({ key }) => key?.toString())).toEqual(['s/middle', 's/middle', 's/late']);
    const [original] = (await recordsIn(file, topics.record)).slice(1);
    const { incarnation, partition, sequence, appendTimeMs } = original!;
    expect(decodeOrigin((await recordsIn(file, topics.replay))[0]?.headers.get(headerNames.origin))).toEqual({ topic: topics.record, incarnation, partition, sequence, appendTime: appendTimeMs });
  });
});

test('of named routes and tasks runs their steps alone, for the events that they take', async () => {
  await withDirectory(async (directory) => {
    const configuration = `
dataDirectory: data
server: { enabled: false }
models: { notes: { directory: MODELS/banknote-classifier }, topics: { directory: MODELS/topic-classifier }, encoder: { directory: encoder } }
routes:
  - { name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }
  - name: texts
    from: text
    steps:
      - { name: topic, task: text-classification, model: topics }
      - { name: embed, task: text-features, model: encoder, collection: texts }
collections: [{ name: texts, eps: 0.05, minPoints: 1 }]
`;
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, configuration);
    await appendTexts(file, { t: 'river' });
    await appendRecords(file, { n: note });
    await withLog(file, async ({ transport }) => transport.append([{ topic: topics.text, partition: 0, key: null, value: Buffer.from('garbage'), headers: new Map() }]));
    expect(await objects('replay', '--from', '2020-01-01', '--task', 'text-classification', '-c', file)).toMatchObject([{}, {}, { replayed: 1, skipped: 2 }]);
    const [replayed, ...others] = await recordsIn(file, topics.replay);
    expect(others).toEqual([]);
    expect(replayed?.headers.get(headerNames.runRouteSteps)?.toString()).toBe('texts/topic');
    await succeed('replay', '--from', '2020-01-01', '--route', 'texts', '-c', file);
    expect((await recordsIn(file, topics.replay)).map(({ headers }) => headers.get(headerNames.runRouteSteps)?.toString()).sort()).toEqual(['texts/topic', 'texts/topic,texts/embed']);
    await run(file);
    const labels = await extractedLabels(file);
    expect(labels.map(({ itemId, routeStep }) => `${itemId} ${routeStep}`).sort()).toEqual(['s/n notes/predict', 's/t texts/topic', 's/t texts/topic', 's/t texts/topic']);
    const none = await runProgram('replay', '--topic', topics.record, '--from', '0', '--task', 'text-features', '-c', file);
    expect([none.code, none.stdout]).toEqual([1, '']);
    expect(none.stderr).toContain('none of 1 record in the range has a step that was asked for [LS_CLI_RANGE_EMPTY]');
  });
});

test('brings nothing back that was forgotten, deleted or replaced', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, textsConfiguration('eps: 0.05, minPoints: 1'));
    await appendTexts(file, { kept: 'river', forgotten: 'river', deleted: 'river', replaced: 'river' });
    await run(file);
    await appendTexts(file, { deleted: { deleted: true }, replaced: 'mountain' });
    await succeed('forget', 's/forgotten', '-c', file);
    await run(file);
    const before = await objects('clusters', 'list', '-c', file);
    expect(before).toMatchObject([{ size: 1 }, { size: 1 }]);

    await succeed('replay', '--from', '2020-01-01', '-c', file);
    await run(file);
    const places = async (id: string) => (await runProgram('clusters', 'show', `s/${id}`, '-c', file)).code;
    expect(await Promise.all(['kept', 'forgotten', 'deleted', 'replaced'].map(places))).toEqual([0, 1, 1, 0]);
    const after = await objects('clusters', 'list', '-c', file);
    const members = (clusters: readonly Record<string, unknown>[]) => clusters.map(({ id, size, samples }) => ({ id, size, samples }));
    expect(members(after)).toEqual(members(before));
    expect(await recordsIn(file, topics.deadLetters)).toEqual([]);
  });
});

test('what cannot be meant is refused, with what would be', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, `${notesConfiguration}${onePartition}`);
    await appendRecords(file, { n0: note });
    const refused = async (...parameters: string[]) => {
      const { code, stdout, stderr } = await runProgram('replay', ...parameters, '-c', file);
      expect(stdout).toBe('');
      return [code, stderr] as const;
    };
    const inRecords = ['--topic', topics.record];
    expect(await refused('--from', '5', '--until', '5', ...inRecords)).toEqual([2, expect.stringContaining('--from sequence 5 is not before --until sequence 5')]);
    expect(await refused('--from', '0')).toEqual([2, expect.stringContaining('sequence 0 is a place in one topic: name it with --topic')]);
    expect(await refused('--from', '2026-05-17T08:00:00')).toEqual([2, expect.stringContaining('with Z or +02:00 behind the time')]);
    expect(await refused('--from', '7', ...inRecords)).toEqual([1, expect.stringContaining('there is no record from sequence 7; partition 0 of record.events holds the sequences 0 to 0 [LS_CLI_RANGE_EMPTY]')]);
    expect(await refused('--from', '2099-01-01')).toEqual([1, expect.stringContaining('there is no record from 2099-01-01T00:00:00.000Z; ')]);
    expect(await refused('--from', '0', ...inRecords, '--partition', '3')).toEqual([2, expect.stringContaining('record.events has the partitions 0 to 0; there is no partition 3')]);
    expect(await refused('--from', '0', '--topic', 'labels')).toEqual([2, expect.stringContaining('Allowed choices are media.events, text.events, record.events')]);
    expect(await refused('--from', '0', ...inRecords, '--task', 'nothing')).toEqual([2, expect.stringContaining('--task nothing: the configuration has record-prediction')]);
    expect(await recordsIn(file, topics.replay)).toEqual([]);
  });
});
