// `dlq`: from a dead letter to its mended result, through the real program.
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { classifierManifest, writeModelWithAnswers } from '../models/model-directory.ts';
import { logarithm, valuesClassifier } from '../models/onnx-fixtures.ts';
import { runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { makeLog, objects, succeed, withLog, withRun, writeEncoder } from './fixtures.ts';
import { appendRecords, appendTexts, extractedLabels, recordsIn } from './log-access.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const twoSteps = `
dataDirectory: data
server: { enabled: false }
models:
  sound: { directory: sound }
  other: { directory: other }
routes:
  - name: notes
    from: record
    steps:
      - { name: first, task: record-prediction, model: sound }
      - { name: second, task: record-prediction, model: other }
`;

/** In `other`: a model without an answer for negative values, or one that has it. */
async function writeModels(directory: string, other: 'broken' | 'mended'): Promise<void> {
  const model = other === 'broken' ? logarithm() : valuesClassifier();
  await writeModelWithAnswers(join(directory, 'sound'), classifierManifest, { 'model.onnx': valuesClassifier() }, 3);
  await writeModelWithAnswers(join(directory, 'other'), { ...classifierManifest, version: other === 'broken' ? '1.0.0' : '1.0.1' }, { 'model.onnx': model }, 3);
}

const good = { a: 1, b: 2, c: 3, d: 4 };
const poison = { a: -1, b: -2, c: -3, d: -4 };
const run = (file: string) => succeed('run', '-c', file, '--until-idle');
const list = (file: string, ...options: string[]) => objects('dlq', 'list', '-c', file, ...options);

test('a failed step is redriven alone, once; it fails again, and after its model is mended its label is there', async () => {
  await withDirectory(async (directory) => {
    await writeModels(directory, 'broken');
    const file = await writeConfiguration(directory, twoSteps);
    await appendRecords(file, { good, poison });
    await run(file);
    const [first, ...others] = await list(file);
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      state: 'open', code: 'LS_MODEL_OUTPUT_NOT_FINITE', stage: 'extract', task: 'record-prediction', attempts: 1, routeSteps: ['notes/second'], item: 's/poison',
      origin: { topic: topics.record }, redriven: null,
    });
    const id = String(first?.['id']);

    const tried = await objects('dlq', 'redrive', '--all', '--dry-run', '-c', file);
    expect(tried).toMatchObject([{ id, outcome: 'would-redrive' }, { redriven: 0, wouldRedrive: 1, dryRun: true }]);
    const misnamed = await runProgram('dlq', 'redrive', id, 'ffffffffffffffff', '--json', '-c', file);
    expect([misnamed.code, misnamed.stdout]).toEqual([1, '']);
    expect(misnamed.stderr).toContain('there is no dead letter ffffffffffffffff; nothing was redriven [LS_CLI_NOT_FOUND]');
    expect(await recordsIn(file, topics.redrive)).toEqual([]);

    expect(await objects('dlq', 'redrive', id, '-c', file)).toMatchObject([{ id, outcome: 'redriven' }, { redriven: 1, skipped: 0, dryRun: false }]);
    expect(await list(file)).toMatchObject([{ id, state: 'redriven', redriven: { times: 1 } }]);
    const repeated = await runProgram('dlq', 'redrive', '--all', '-c', file);
    expect([repeated.code, repeated.stdout]).toEqual([1, '']);
    expect(repeated.stderr).toMatch(/none of 1 dead letter is open and selected; .* \[LS_CLI_RANGE_EMPTY\]\n {2}See what there is/);
    const named = await runProgram('dlq', 'redrive', id, '-c', file);
    expect([named.code, named.stderr]).toEqual([1, expect.stringContaining(`skipped ${id}: it was redriven before, and is asked for again only by \`again\``)]);
    expect(await recordsIn(file, topics.redrive)).toHaveLength(1);

    await run(file);
    const [failed, again] = await list(file);
    expect(failed).toMatchObject({ id, state: 'failed' });
    expect(again).toMatchObject({ state: 'open', attempts: 2, routeSteps: ['notes/second'], origin: first?.['origin'], read: { topic: topics.redrive } });

    await writeModels(directory, 'mended');
    const table = (await succeed('dlq', 'list', '-c', file)).stdout;
    const place = new RegExp(`^ID +PLACE +STATE[^]*\\n${id} +(\\d+:\\d+) +failed `).exec(table)?.[1] ?? table;
    expect(await objects('dlq', 'show', place, '-c', file)).toMatchObject([{ id }]);
    const redriven = await succeed('dlq', 'redrive', '--code', 'LS_MODEL_OUTPUT_NOT_FINITE', '-c', file);
    expect(redriven).toMatchObject({ stdout: 'redrove 1 dead letter\n', stderr: expect.stringMatching(/^a `run` that is live carries it out now, otherwise the next one does/) as string });
    await run(file);
    expect((await list(file)).map(({ state }) => state)).toEqual(['failed', 'resolved']);
    expect(await list(file, '--state', 'open')).toEqual([]);
    const labels = await extractedLabels(file);
    expect(labels.map(({ itemId, routeStep }) => `${itemId} ${routeStep}`).sort()).toEqual([
      's/good notes/first', 's/good notes/second', 's/poison notes/first', 's/poison notes/second',
    ]);
    const mended = labels.find(({ itemId, routeStep }) => itemId === 's/poison' && routeStep === 'notes/second');
    expect(mended?.modelVersion).toBe('1.0.1');
    expect(mended?.origin).toEqual(labels.find(({ itemId }) => itemId === 's/poison')?.origin);

    const shown = await succeed('dlq', 'show', String(again?.['id']), '-c', file);
    expect(shown.stdout).toMatch(/^id +\w{16} \(\d:\d of dead-letters\)\nstate +resolved\n[^]*steps +notes\/second\n[^]*content +s\/poison \{"a":-1/);
    expect(await objects('dlq', 'show', `${String(first?.['partition'])}:${String(first?.['sequence'])}`, '-c', file)).toMatchObject([{ id, schema: 'RecordEvent', value: { id: 'poison' } }]);
  });
});

test('what was published again since stays open; redriven all the same it fails again, and the newer result stands', async () => {
  await withDirectory(async (directory) => {
    await writeModels(directory, 'broken');
    const file = await writeConfiguration(directory, twoSteps);
    const states = async () => (await list(file)).map(({ state, item }) => [item, state]);
    await appendRecords(file, { n1: poison });
    await run(file);
    await appendRecords(file, { n1: good });
    await run(file);
    expect(await states()).toEqual([['s/n1', 'open']]);
    await succeed('dlq', 'redrive', '--all', '-c', file);
    await run(file);
    expect(await states()).toEqual([['s/n1', 'failed'], ['s/n1', 'open']]);

    await writeModels(directory, 'mended');
    await succeed('dlq', 'redrive', '--all', '-c', file);
    await run(file);
    expect(await states()).toEqual([['s/n1', 'failed'], ['s/n1', 'resolved']]);
    const second = (await extractedLabels(file)).filter(({ routeStep }) => routeStep === 'notes/second');
    // The late result is told with the origin of the bytes that it is of: the older one.
    expect(second.map(({ origin }) => origin.sequence)).toEqual([1n, 0n]);
  });
});

const byTopic = (names: string): string => `
dataDirectory: data
server: { enabled: false }
models: { topics: { directory: MODELS/topic-classifier }, encoder: { directory: encoder } }
routes:
  - name: texts
    from: text
    steps:
      - { name: topic, task: text-classification, model: topics }
      - { name: embed, task: text-features, model: encoder, collection: "in-\${labels.topic|none}" }
collections:
  - { name: "in-\${labels.topic|none}", eps: 0.05, minPoints: 1${names} }
`;

test('a step whose collection the label of another chooses is redriven with that label: the other does not run again', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, byTopic(', names: [in-nothing]'));
    await appendTexts(file, { a: 'the team won the football match', b: 'the team lost the football match' });
    await run(file);
    const letters = await list(file);
    expect(letters).toMatchObject(['s/a', 's/b'].map(() => ({ code: 'LS_EXTRACT_COLLECTION_NOT_ALLOWED', routeSteps: ['texts/embed'], results: { topic: expect.any(String) as string } })));

    await writeConfiguration(directory, byTopic(''));
    await succeed('dlq', 'redrive', '--item', 's/b', '-c', file);
    await run(file);
    expect((await extractedLabels(file)).map(({ itemId }) => itemId).sort()).toEqual(['s/a', 's/b']);
    expect(await objects('clusters', 'show', 's/b', '-c', file)).toMatchObject([{ itemId: 's/b', role: 'core' }]);
    expect((await runProgram('clusters', 'show', 's/a', '-c', file)).code).toBe(1);
    expect(Object.fromEntries((await list(file)).map(({ item, state }) => [item, state]))).toEqual({ 's/a': 'open', 's/b': 'resolved' });
  });
});

const limited = (definition: string): string => `
dataDirectory: data
server: { enabled: false }
models: { encoder: { directory: encoder } }
routes: [{ name: texts, from: text, steps: [{ name: embed, task: text-features, model: encoder, collection: "\${collection}" }] }]
collections: [{ name: "\${collection}", eps: 0.05, minPoints: 1, ${definition} }]
`;

test('what CLUSTER refused is extracted again from its input; what was forgotten since stays out', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, limited('collectionsMax: 1'));
    await appendTexts(file, { a: { text: 'river', collection: 'one' } });
    await run(file);
    await appendTexts(file, { b: { text: 'river', collection: 'two' }, c: { text: 'river', collection: 'two' } });
    await withLog(file, ({ transport }) => transport.append([{ topic: topics.features, partition: 0, key: null, value: Buffer.from('garbage'), headers: noHeaders }]));
    await run(file);
    expect((await list(file, '--stage', 'cluster')).map(({ code, item }) => [code, item]).sort()).toEqual([
      ['LS_CLUSTER_COLLECTION_LIMIT', 's/b'], ['LS_CLUSTER_COLLECTION_LIMIT', 's/c'], ['LS_CODEC_FORMAT', null],
    ]);
    await run(file);

    // Still no room: the attempts rise.
    expect(await objects('dlq', 'redrive', '--item', 's/b', '-c', file)).toMatchObject([{ outcome: 'redriven' }, { redriven: 1 }]);
    await run(file);
    expect(await list(file, '--item', 's/b')).toMatchObject([{ state: 'failed', attempts: 1 }, { state: 'open', attempts: 2 }]);

    await succeed('forget', 's/c', '-c', file);
    await writeConfiguration(directory, limited('collectionsMax: 5, version: 2'));
    const done = await succeed('dlq', 'redrive', '--all', '-c', file);
    expect(done.stdout).toBe('redrove 2 dead letters; skipped 1\n');
    expect(done.stderr).toMatch(/^skipped \w{16}: it holds no feature event: /);
    await run(file);
    expect(await objects('clusters', 'show', 's/b', '-c', file)).toMatchObject([{ collection: 'two', role: 'core' }]);
    expect((await runProgram('clusters', 'show', 's/c', '-c', file)).code).toBe(1);
    expect((await list(file, '--item', 's/b')).map(({ state }) => state)).toEqual(['failed', 'resolved']);

    const none = await runProgram('dlq', 'redrive', '--code', 'LS_CODEC_FORMAT', '-c', file);
    expect([none.code, none.stdout]).toEqual([1, '']);
    expect(none.stderr).toContain('none of 1 dead letter can be redriven [LS_CLI_NOT_REDRIVABLE]');
  });
});

const generation = (version: number, source: string): string => `
dataDirectory: data
server: { enabled: false }
transport: { partitionCount: 1 }
models: { encoder: { directory: encoder, revision: ${version} } }
routes: [{ name: texts, from: text, where: { source: ${source} }, steps: [{ name: embed, task: text-features, model: encoder, collection: texts }] }]
collections: [{ name: texts, eps: 0.05, minPoints: 1, version: ${version} }]
extract: { unrouted: drop }
`;

test('a feature of a retired generation is made again with the model of today', async () => {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    const file = await writeConfiguration(directory, generation(1, 's'));
    await appendTexts(file, { a: 'river' });
    await run(file);
    await succeed('forget', 's/a', '-c', file);
    await run(file);
    await writeEncoder(directory, { version: '2.0.0' });
    await writeConfiguration(directory, generation(2, 'nobody'));
    await appendTexts(file, { b: 'river' });
    await run(file);
    const [, input] = await recordsIn(file, topics.text);
    const features = await recordsIn(file, topics.features);
    // What an EXTRACT that still had the former model would have sent of b.
    await withLog(file, async ({ codec, transport }) => {
      const sent = features.find(({ value }) => codec.decode(value).schema === 'FeatureEvent')!;
      const event = codec.decodeAs('FeatureEvent', sent.value);
      const { topic, incarnation, partition, sequence, appendTimeMs } = input!;
      const late = { ...event, itemId: 's/b', inputId: 's/b', read: { ...event.read, sequence }, origin: { topic, incarnation, partition, sequence, appendTime: appendTimeMs } };
      await transport.append([{ ...sent, value: codec.encode('FeatureEvent', late) }]);
    });
    await run(file);
    expect(await list(file)).toMatchObject([{ code: 'LS_CLUSTER_GENERATION_RETIRED', stage: 'cluster', item: 's/b', state: 'open' }]);

    await writeConfiguration(directory, generation(2, 's'));
    await succeed('dlq', 'redrive', '--code', 'LS_CLUSTER_GENERATION_RETIRED', '-c', file);
    await run(file);
    expect(await list(file)).toMatchObject([{ state: 'resolved' }]);
    expect(await objects('clusters', 'show', 's/b', '-c', file)).toMatchObject([{ itemId: 's/b', role: 'core' }]);
    const made = await withLog(file, async ({ codec }) => (await recordsIn(file, topics.features)).flatMap(({ value }) => codec.decode(value)).at(-1));
    expect(made).toMatchObject({ event: { itemId: 's/b', modelVersion: '2.0.0', origin: { sequence: 1n } } });
  });
});

test('beside a live run, and again where that is asked for', async () => {
  await withDirectory(async (directory) => {
    await writeModels(directory, 'broken');
    const file = await writeConfiguration(directory, twoSteps);
    await appendRecords(file, { poison });
    await run(file);
    await writeModels(directory, 'mended');
    await withRun(file, async () => {
      for (const times of [1, 2]) {
        await succeed('dlq', 'redrive', '--task', 'record-prediction', ...(times === 1 ? [] : ['--again']), '-c', file);
        // Its absence is what times the test out.
        for (let [letter] = await list(file); letter?.['state'] !== 'resolved'; [letter] = await list(file)) expect(letter).toMatchObject({ state: 'redriven', redriven: { times } });
      }
      const labels = (await extractedLabels(file)).filter(({ routeStep }) => routeStep === 'notes/second');
      expect(labels).toHaveLength(2);
      expect(labels[1]).toEqual(labels[0]);
    });
  });
});

test('a redrive before the first run is not passed over, wherever the group begins', async () => {
  await withDirectory(async (directory) => {
    await writeModels(directory, 'mended');
    const file = await writeConfiguration(directory, `${twoSteps}startAt: latest\n`);
    await appendRecords(file, { passed: good });
    const [record] = await recordsIn(file, topics.record);
    const headers = new Map([[headerNames.runRouteSteps, Buffer.from('notes/second')]]);
    await withLog(file, ({ transport }) => transport.append([{ ...record!, topic: topics.redrive, headers }]));
    await run(file);
    expect((await extractedLabels(file)).map(({ routeStep }) => routeStep)).toEqual(['notes/second']);
  });
});

test('what cannot be meant is refused, with what would be', async () => {
  await withDirectory(async (directory) => {
    await writeModels(directory, 'mended');
    const file = await writeConfiguration(directory, twoSteps);
    await makeLog(file);
    const refused = async (...parameters: string[]) => {
      const { code, stdout, stderr } = await runProgram(...parameters, '-c', file);
      expect(stdout).toBe('');
      return [code, stderr] as const;
    };
    expect(await refused('dlq', 'redrive')).toEqual([2, expect.stringMatching(/or say --all \[LS_CLI_USAGE\]\n {2}/)]);
    expect(await refused('dlq', 'redrive', '--all')).toEqual([1, expect.stringContaining('there are no dead letters [LS_CLI_RANGE_EMPTY]')]);
    expect(await refused('dlq', 'redrive', 'ffffffffffffffff')).toEqual([1, expect.stringMatching(/^labelstream: there is no dead letter ffffffffffffffff; nothing was redriven \[LS_CLI_NOT_FOUND\]/)]);
    expect(await refused('dlq', 'show', '0:7')).toEqual([1, expect.stringContaining('there is no dead letter 0:7; `labelstream dlq list` names those that there are [LS_CLI_NOT_FOUND]')]);
    expect(await refused('dlq', 'list', '--code', 'LS_NOPE')).toEqual([2, expect.stringContaining('--code LS_NOPE: there is no such code, neither in docs/errors.md nor of any dead letter [LS_CLI_USAGE]')]);
    expect((await succeed('dlq', 'list', '--code', 'LS_MODEL_INPUT', '-c', file)).stderr).toBe('0 dead letters\n');
    expect(await refused('dlq', 'list', '--since', 'yesterday')).toEqual([2, expect.stringContaining('--since yesterday is no time; write it as 2026-05-17T08:30:00Z')]);
    expect(await refused('dlq', 'list', '--since', '2026-05-17', '--until', '2026-05-16')).toEqual([2, expect.stringContaining('--since 2026-05-17 is not before --until 2026-05-16')]);
    expect(await refused('dlq', 'list', '--origin', 'text.events:x')).toEqual([2, expect.stringContaining('--origin text.events:x is not of the form')]);
  });
});
