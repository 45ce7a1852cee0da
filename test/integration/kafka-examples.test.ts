/**
 * The demo and the examples over Kafka, with either producer, against the embedded log: the same inputs in the same partitions give the same labels and,
 * up to renaming of ids, the same clusters (the last comparison of SEMANTICS.md).
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect } from 'vitest';
import { sampleModels, samples } from '../../examples/example.ts';
import { demoConfiguration } from '../../src/cli/demo/demo-configuration.ts';
import { demoRecords, demoTexts } from '../../src/cli/demo/demo-data.ts';
import { demoImages } from '../../src/cli/demo/demo-images.ts';
import { clustersOf } from '../../src/clusters-of.ts';
import { openAccess, type Access } from '../../src/open-access.ts';
import { loadConfiguration, type Configuration } from '../../src/config/load.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { eventTopics, topics } from '../../src/core/topics.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { topicExpectations } from '../../src/prepare-topics.ts';
import { createProcessContext } from '../../src/process-context.ts';
import { startService } from '../../src/service.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { sharedBrokers } from '../brokers/shared-broker.ts';
import { describeWith, fileThere, kafkaNeeds, testWith } from '../requirements.ts';
import { readContents } from '../crash/log-contents.ts';
import { repository, startProgram, withDirectory } from '../service/program.ts';

const never = new AbortController().signal;
const silentContext = () => createProcessContext(pino({ level: 'silent' }));

type Example = {
  readonly name: string;
  /** Files and folders of the samples. */
  readonly needs: readonly string[];
  /** On the embedded log, its inputs published there. */
  readonly prepare: (directory: string) => Promise<Configuration>;
  readonly labelsMin: number;
  readonly clustersMin: number;
};

async function labelstream(directory: string, ...parameters: readonly string[]): Promise<void> {
  const { code, stderr } = await startProgram(parameters, { LABELSTREAM_DATA_DIR: directory }).finished;
  expect(code, `${parameters.join(' ')}\n${stderr}`).toBe(0);
}

async function exampleOf(name: string, directory: string, publish: readonly string[]): Promise<Configuration> {
  const file = join(repository, `examples/${name}.yaml`);
  await labelstream(directory, 'publish', ...publish, '--source', name, '-c', file);
  const { configuration } = await loadConfiguration({ file, environment: { LABELSTREAM_DATA_DIR: directory }, assignments: [], tasks: [...tasks.values()] });
  if (configuration === undefined) throw new Error(`${file} is no valid configuration`);
  return configuration;
}

async function firstRows(directory: string, path: string, count: number): Promise<string> {
  const file = join(directory, 'rows.csv');
  await writeFile(file, `${(await readFile(join(samples, path), 'utf8')).split('\n').slice(0, count).join('\n')}\n`);
  return file;
}

async function publishDemo(directory: string): Promise<Configuration> {
  const configuration = demoConfiguration(directory);
  const access = await openAccess(configuration, await silentContext(), 'any');
  const record = (topic: string, event: { readonly source: string; readonly id: string }, value: Buffer): OutputRecord => {
    const key = itemIdOf(event);
    return { topic, partition: partitionForKey(key, access.partitionCountOf(topic)), key: Buffer.from(key), value, headers: noHeaders };
  };
  const { encode } = access.codec;
  await access.transport.append([
    ...demoTexts(480, 20).map((event) => record(topics.text, event, encode('TextEvent', event))),
    ...demoRecords(240, 20).map((event) => record(topics.record, event, encode('RecordEvent', event))),
    ...(await demoImages()).map((event) => record(topics.media, event, encode('MediaEvent', event))),
  ]);
  await access.close();
  return configuration;
}

const examples: readonly Example[] = [
  { name: 'demo', needs: [], labelsMin: 700, clustersMin: 13, prepare: publishDemo },
  {
    name: 'news',
    needs: [join(samples, 'text/ag_news_test.csv')],
    labelsMin: 0,
    clustersMin: 3,
    prepare: async (directory) => exampleOf('news', directory, ['text', await firstRows(directory, 'text/ag_news_test.csv', 1_200), '--no-header', '--text-column', '2', '--text-column', '3']),
  },
  {
    name: 'banking',
    needs: [join(samples, 'text/banking77_train.csv'), join(sampleModels, 'all-MiniLM-L6-v2')],
    labelsMin: 0,
    clustersMin: 1,
    prepare: async (directory) => {
      await labelstream(directory, 'models', 'import', join(sampleModels, 'all-MiniLM-L6-v2'), '--to', join(directory, 'models/minilm'), '--licence', 'Apache-2.0');
      return exampleOf('banking', directory, ['text', await firstRows(directory, 'text/banking77_train.csv', 101), '--text-column', 'text']);
    },
  },
  {
    name: 'banknotes',
    needs: [join(samples, 'banknote/BankNote_Authentication.csv')],
    labelsMin: 1_372,
    clustersMin: 0,
    prepare: (directory) => exampleOf('banknotes', directory, ['records', join(samples, 'banknote/BankNote_Authentication.csv'), '--attribute-column', 'class']),
  },
  {
    name: 'pets',
    needs: [join(samples, 'images/cats-dogs'), join(sampleModels, 'shufflenet-v2-12-int8.onnx')],
    labelsMin: 29,
    clustersMin: 4,
    prepare: async (directory) => {
      const network = join(sampleModels, 'shufflenet-v2-12-int8.onnx');
      const read = ['--preset', 'imagenet', '--shorter-side', '224', '--kernel', 'lanczos3', '--licence', 'Apache-2.0'];
      const models = join(directory, 'pets-models');
      await labelstream(directory, 'models', 'import', network, '--to', join(models, 'features'), '--expose', '611', '--normalisation', 'l2', ...read);
      await labelstream(directory, 'models', 'import', network, '--to', join(models, 'classes'), '--activation', 'softmax', '--group', 'cat=281-285,dog=151-268', ...read);
      return exampleOf('pets', directory, ['images', join(samples, 'images/cats-dogs')]);
    },
  },
];

type Outcome = {
  /** What EXTRACT said, by item and step; with several results of one, all of them. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
  /** Of each item in each collection: its role, and the first member of its cluster. */
  readonly places: ReadonlyMap<string, string>;
  readonly clusterCount: number;
  readonly deadLetters: readonly string[];
};

const textOf = (value: unknown): string => JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part));

async function outcomeOf(access: Access): Promise<Outcome> {
  const { records } = await readContents(access.transport, [topics.labels, topics.features, topics.deadLetters]);
  const all = (topic: string) => (records.get(topic) ?? []).flat();
  const labels = new Map<string, string[]>();
  for (const { value } of all(topics.labels)) {
    const { itemId, routeStep, result, revision } = access.codec.decodeAs('LabelEvent', value);
    if ('labelstream.v1.Assignment' in result) continue;
    const key = `${itemId} ${routeStep}`;
    labels.set(key, [...(labels.get(key) ?? []), textOf({ result, revision })]);
  }
  const view = await clustersOf(access, never);
  const firstMemberOf = new Map<string, string>();
  const { value: clusters } = view.clusters();
  for (const { clusterId } of clusters) firstMemberOf.set(clusterId, view.cluster(clusterId).value?.members[0]?.itemId ?? 'none');
  const places = new Map<string, string>();
  for (const { value } of all(topics.features)) {
    const { schema, event } = access.codec.decode(value);
    if (schema !== 'FeatureEvent') continue;
    for (const { itemId, collection, role, clusterId } of view.item(event.itemId).value) {
      places.set(`${itemId} in ${collection}`, `${role} of ${clusterId === null ? 'none' : (firstMemberOf.get(clusterId) ?? 'an unknown one')}`);
    }
  }
  return { labels, places, clusterCount: clusters.length, deadLetters: all(topics.deadLetters).map(({ key, value }) => `${key?.toString() ?? ''} ${value.toString('base64')}`).sort() };
}

/** @param inputs what is published first. */
async function run(configuration: Configuration, inputs: readonly OutputRecord[]): Promise<Outcome> {
  const context = await silentContext();
  if (configuration.transport.kind === 'kafka') {
    const { transport, close } = await openAccess(configuration, context, 'any');
    await transport.createTopics(topicExpectations(configuration).topics).finally(close);
  }
  const service = await startService(configuration, context, never);
  try {
    for (let begin = 0; begin < inputs.length; begin += 200) await service.access.transport.append(inputs.slice(begin, begin + 200));
    await Promise.race([service.untilIdle(), service.failed.then((error) => Promise.reject(error))]);
    return await outcomeOf(service.access);
  } finally {
    await service.stop();
  }
}

async function inputsIn(configuration: Configuration): Promise<readonly OutputRecord[]> {
  const access = await openAccess(configuration, await silentContext(), 'any');
  try {
    return [...(await readContents(access.transport, eventTopics)).records.values()].flat(2);
  } finally {
    await access.close();
  }
}

const variants: readonly { readonly producer: 'kafkajs' | 'platformatic'; readonly delivery: Delivery }[] = [
  { producer: 'kafkajs', delivery: 'exactly-once' },
  { producer: 'platformatic', delivery: 'exactly-once' },
  { producer: 'kafkajs', delivery: 'at-least-once' },
  { producer: 'platformatic', delivery: 'at-least-once' },
];

describeWith(await kafkaNeeds(), 'over Kafka as on the embedded log', () => {
  const overKafka = (configuration: Configuration, directory: string, { producer, delivery }: (typeof variants)[number]): Configuration => {
    const kafka = demoConfiguration(directory, sharedBrokers()).transport;
    if (kafka.kind !== 'kafka') throw new Error('the demo is not over Kafka');
    // Photographs are larger than what Kafka takes by default.
    const { partitionCount, recordBytesMax } = configuration.transport;
    return { ...configuration, delivery, dataDirectory: join(directory, `${producer}-${delivery}`), transport: { ...kafka, producer, partitionCount, recordBytesMax } };
  };

  describe.each(examples)('$name', ({ name, needs, prepare, labelsMin, clustersMin }) => {
    testWith(Object.fromEntries(needs.map((path) => [path, fileThere(path)])), `${name}: labels and clusters are the same`, { timeout: 300_000 }, () =>
      withDirectory(async (directory) => {
        const configuration = await prepare(directory);
        const inputs = await inputsIn(configuration);
        const expected = await run(configuration, []);
        expect(expected.labels.size).toBeGreaterThanOrEqual(labelsMin);
        expect(expected.clusterCount).toBeGreaterThanOrEqual(clustersMin);
        // All of them where it is quick, and one with each producer otherwise.
        for (const variant of needs.length === 0 ? variants : variants.slice(1, 3)) {
          const actual = await run(overKafka(configuration, directory, variant), inputs);
          expect(actual, textOf(variant)).toEqual(expected);
        }
        console.log(`${name}: ${inputs.length} inputs, ${expected.labels.size} labels, ${expected.places.size} places in ${expected.clusterCount} clusters, ${expected.deadLetters.length} dead letters`);
      }),
    );
  });
});
