// W3C trace context and CloudEvents through both stages, dead letters, redrive and replay, on the real program.
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { RecordEvent, TextEvent } from '../../src/core/events.generated.ts';
import type { ConsumedRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { succeed, withLog, writeEncoder } from '../cli/fixtures.ts';
import { recordsIn } from '../cli/log-access.ts';
import { classifierManifest, writeModelWithAnswers } from '../models/model-directory.ts';
import { logarithm, valuesClassifier } from '../models/onnx-fixtures.ts';
import { withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const configuration = `
dataDirectory: data
server: { enabled: false }
transport: { partitionCount: 1 }
output: { cloudEvents: true }
group: traced
models: { encoder: { directory: encoder }, values: { directory: values } }
routes:
  - { name: texts, from: text, steps: [{ name: embed, task: text-features, model: encoder, collection: texts }] }
  - { name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: values }] }
collections:
  - { name: texts, eps: 0.05, minPoints: 2 }
`;

type Sent = { readonly topic: string; readonly id: string; readonly headers?: Readonly<Record<string, string>> } & Partial<Pick<TextEvent, 'text'>> & Partial<Pick<RecordEvent, 'values'>>;

const parentOf = (digit: string): string => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;

function publish(file: string, events: readonly Sent[]): Promise<void> {
  return withLog(file, async ({ transport, codec }) => {
    const common = { source: 's', occurredAt: 1_700_000_000_000, tasks: [], attributes: {} };
    await transport.append(
      events.map(({ topic, id, headers = {}, text, values }) => ({
        topic, partition: 0, key: Buffer.from(`s/${id}`),
        value:
          text === undefined
            ? codec.encode('RecordEvent', { ...common, id, values: values ?? {} })
            : codec.encode('TextEvent', { ...common, id, text, language: null, collection: null, deleted: false }),
        headers: new Map(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
      })),
    );
  });
}

const texts = ({ headers }: ConsumedRecord): Record<string, string> => Object.fromEntries([...headers].map(([name, value]) => [name, value.toString()]));
const run = (file: string): Promise<unknown> => succeed('run', '-c', file, '--until-idle');

test('an input is followed to its label, its feature, its assignment and its dead letter, and again by redrive and replay', async () => {
  await withDirectory(async (directory) => {
    const writeValues = (model: Uint8Array, version: string): Promise<unknown> => writeModelWithAnswers(join(directory, 'values'), { ...classifierManifest, version }, { 'model.onnx': model }, 3);
    await writeEncoder(directory);
    await writeValues(logarithm(), '1.0.0');
    const file = await writeConfiguration(directory, configuration);
    const cloudEvent = { ce_specversion: '1.0', ce_id: '1', ce_source: '/theirs', ce_type: 'com.example.note', 'content-type': 'application/avro' };
    const values = { a: 1, b: 2, c: 3, d: 4 };
    await publish(file, [
      { topic: topics.text, id: 'first', text: 'alike', headers: { traceparent: parentOf('1'), tracestate: 'vendor=1' } },
      { topic: topics.text, id: 'second', text: 'alike', headers: { traceparent: parentOf('2'), ...cloudEvent } },
      { topic: topics.text, id: 'mistaken', text: 'alike', headers: { traceparent: 'nonsense', tracestate: 'vendor=1' } },
      { topic: topics.record, id: 'good', values, headers: { traceparent: parentOf('3'), ...cloudEvent } },
      { topic: topics.record, id: 'poison', values: { a: -1, b: -2, c: -3, d: -4 }, headers: { traceparent: parentOf('4'), tracestate: 'vendor=4', ...cloudEvent } },
    ]);
    await run(file);

    const features = (await recordsIn(file, topics.features)).map(texts).filter(({ ce_type: type }) => type === 'labelstream.v1.FeatureEvent');
    expect(features.map(({ traceparent, tracestate }) => [traceparent, tracestate])).toEqual([[parentOf('1'), 'vendor=1'], [parentOf('2'), undefined], [undefined, undefined]]);

    const labels = await recordsIn(file, topics.labels);
    const told = await withLog(file, ({ codec }) =>
      Promise.resolve(labels.map((record) => ({ label: codec.decodeAs('LabelEvent', record.value), headers: texts(record) }))),
    );
    for (const { label, headers } of told) {
      expect(headers).toMatchObject({ ce_specversion: '1.0', ce_id: label.id, ce_source: '/labelstream/traced', ce_type: 'labelstream.v1.LabelEvent', 'content-type': 'application/avro' });
      expect(headers).not.toHaveProperty('ce_time');
    }
    // The first becomes a member because of the second, which is another trace.
    expect(told.filter(({ label }) => label.task === 'cluster-assignment').map(({ label, headers }) => [label.itemId, headers['traceparent']])).toEqual([
      ['s/first', parentOf('1')], ['s/first', undefined], ['s/second', parentOf('2')], ['s/mistaken', undefined],
    ]);
    const good = labels.filter((_record, index) => told[index]?.label.itemId === 's/good');
    expect(good.map((record) => texts(record)['traceparent'])).toEqual([parentOf('3')]);
    const [emerged] = await recordsIn(file, topics.clusterEvents);
    expect(texts(emerged!)).toMatchObject({ ce_type: 'labelstream.v1.ClusterEvent', traceparent: parentOf('2') });

    const [letter] = await recordsIn(file, topics.deadLetters);
    expect(texts(letter!)).toMatchObject({ [headerNames.errorCode]: 'LS_MODEL_OUTPUT_NOT_FINITE', traceparent: parentOf('4'), tracestate: 'vendor=4', ...cloudEvent });
    await writeValues(valuesClassifier(), '1.0.1');
    await succeed('dlq', 'redrive', '--all', '-c', file);
    await run(file);
    const redriven = (await recordsIn(file, topics.labels)).slice(labels.length);
    expect(redriven.map(texts)).toMatchObject([{ traceparent: parentOf('4'), tracestate: 'vendor=4', ce_type: 'labelstream.v1.LabelEvent' }]);

    await succeed('replay', '--from', '0', '--topic', topics.record, '-c', file);
    await run(file);
    await succeed('replay', '--from', '0', '--topic', topics.record, '-c', file);
    await run(file);
    const replayed = (await recordsIn(file, topics.labels)).slice(labels.length + redriven.length);
    const bytesOf = ({ key, value, headers }: ConsumedRecord): object => ({ key, value, headers });
    expect(replayed).toHaveLength(4);
    expect(replayed.slice(2).map(bytesOf), 'a replay gives the same bytes, headers included').toEqual(replayed.slice(0, 2).map(bytesOf));
    expect(bytesOf(replayed[1]!)).toEqual(bytesOf(redriven[0]!));
    // Of another version of the model, so with another value under the same headers.
    expect(replayed[0]!.headers).toEqual(good[0]!.headers);
  });
});
