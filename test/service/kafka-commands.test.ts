/** The commands of operators on a real broker, exactly once and under a prefix of names: what they tell and do there is what they do on the embedded log. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { allTopics, inputTopics, topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { sharedBrokers } from '../brokers/shared-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { objects, succeed, topicContents, withRun, writeEncoder, writeNotes, writeTexts } from '../cli/fixtures.ts';
import { extractedLabels, recordsIn } from '../cli/log-access.ts';
import { jsonLines, repository, runProgram, startProgram, withDirectory, writeConfiguration, type Finished } from './program.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const partitionCount = 2;
type Row = Readonly<Record<string, unknown>>;

describeWith(await kafkaNeeds(), 'commands over Kafka', () => {
  let admin: Admin;
  beforeAll(async () => {
    admin = new Kafka({ brokers: [sharedBrokers()], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin.disconnect();
  });

  const configuration = (prefix: string, recordRoute = 'from: record'): string => `
dataDirectory: data
server: { enabled: false }
delivery: exactly-once
transport: { kind: kafka, brokers: ["${sharedBrokers()}"], namePrefix: ${prefix}., partitionCount: ${partitionCount}, sessionTimeoutMs: 6000, requestTimeoutMs: 5000, heartbeatIntervalMs: 500 }
cluster: { snapshotRecords: 1 }
models:
  encoder: { directory: encoder }
  notes: { directory: MODELS/banknote-classifier }
  drawings: { directory: MODELS/drawing-classifier }
routes:
  - { name: texts, from: text, steps: [{ name: embed, task: text-features, model: encoder, collection: texts }] }
  - { name: notes, ${recordRoute}, steps: [{ name: predict, task: record-prediction, model: notes }] }
  - { name: images, from: media, steps: [{ name: object, task: image-classification, model: drawings }] }
collections: [{ name: texts, eps: 0.05, minPoints: 3 }]
`;
  const run = (file: string): Promise<Finished> => succeed('run', '-c', file, '--until-idle');
  const list = (file: string, ...options: readonly string[]): Promise<Row[]> => objects('dlq', 'list', '-c', file, ...options);
  const prepared = async (directory: string, prefix: string, route?: string): Promise<string> => {
    await writeEncoder(directory);
    return writeConfiguration(directory, configuration(prefix, route));
  };
  const lagOf = async (file: string): Promise<{ readonly of: (topic: string) => readonly Row[]; readonly total: unknown }> => {
    const told = await objects('lag', '-c', file);
    return { of: (topic) => told.filter((row) => row['topic'] === topic), total: told.at(-1)?.['total'] };
  };
  /** What Kafka's own tools call lag: of each partition in which the group ever committed. */
  const foreignLag = async (prefix: string, stage: string, topic: string): Promise<readonly number[]> => {
    const name = `${prefix}.${topic}`;
    const [committed] = await admin.fetchOffsets({ groupId: `${prefix}.labelstream-${stage}`, topics: [name] });
    const ends = await admin.fetchTopicOffsets(name);
    return ends.map(({ partition, offset }) => Number(offset) - Number(committed?.partitions.find((one) => one.partition === partition)?.offset));
  };
  /** As retention does that outlasts everything, markers included. */
  const takeAll = async (prefix: string, topic: string): Promise<void> => {
    const name = `${prefix}.${topic}`;
    await admin.fetchTopicMetadata({ topics: [name] });
    await admin.deleteTopicRecords({ topic: name, partitions: Array.from({ length: partitionCount }, (_, partition) => ({ partition, offset: '-1' })) });
  };
  /** The place behind the markers is committed a second after the last record at the latest; a run that ends sooner leaves it to the next. */
  const runUntilBehindMarkers = async (file: string, prefix: string): Promise<void> => {
    const lags = async (): Promise<readonly number[]> => (await Promise.all([...inputTopics.map((topic) => foreignLag(prefix, 'extract', topic)), foreignLag(prefix, 'cluster', topics.features)])).flat();
    await withRun(file, async (live) => {
      await vi.waitUntil(async () => (await lags()).every((lag) => lag === 0), { timeout: 60_000, interval: 200 });
      live.kill('SIGTERM');
      await live.finished;
    });
  };
  const clustersIn = async (file: string): Promise<readonly Row[]> => (await objects('clusters', 'list', '-c', file)).map(({ id, size, name }) => ({ id, size, name }));

  test('topics are made and checked; nothing is made by --dry-run', async () => {
    await withDirectory(async (directory) => {
      const file = await prepared(directory, 'topics');
      const refused = await runProgram('topics', 'check', '--json', '-c', file);
      expect(refused.code).toBe(78);
      expect(jsonLines(refused.stdout).map(({ topic, setting, severity }) => [topic, setting, severity])).toEqual(allTopics.map((topic) => [topic, 'topic', 'error']));
      expect(refused.stderr).toContain('LS_TRANSPORT_TOPIC_SETTINGS');
      const unmade = await runProgram('run', '-c', file, '--until-idle');
      expect([unmade.code, unmade.stderr]).toEqual([78, expect.stringContaining('LS_TRANSPORT_TOPIC_SETTINGS')]);
      const states = (rows: readonly Row[]): readonly unknown[] => [...new Set(rows.map(({ state }) => state))];
      for (const expected of ['missing', 'missing']) expect(states(await objects('topics', 'create', '--dry-run', '-c', file))).toEqual([expected]);
      expect(states(await objects('topics', 'create', '-c', file))).toEqual(['made']);
      expect(states(await objects('topics', 'create', '-c', file))).toEqual(['exists']);
      expect((await succeed('topics', 'check', '-c', file)).stdout).toBe(`the ${allTopics.length} topics are as they must be\n`);
      expect((await admin.listTopics()).filter((topic) => topic.startsWith('topics.')).sort()).toEqual(allTopics.map((topic) => `topics.${topic}`).sort());
    });
  });

  test('from publishing to forgetting', async () => {
    await withDirectory(async (directory) => {
      const prefix = 'life';
      const file = await prepared(directory, prefix);
      await succeed('topics', 'create', '-c', file);
      const never = await lagOf(file);
      expect(never.total).toEqual({ lag: 0, oldestAgeMs: null });
      expect(new Set(inputTopics.flatMap((topic) => never.of(topic).map(({ committed }) => committed)))).toEqual(new Set([null]));

      const texts = await writeTexts(directory, 'texts.jsonl', { a: 'red', b: 'red', c: 'red', d: 'blue', e: 'blue', f: 'blue', g: 'alone', empty: '' });
      await succeed('publish', 'text', texts, '--source', 's', '--id-column', 'id', '-c', file);
      await succeed('publish', 'records', await writeNotes(directory, 'notes.csv', 20), '--source', 's', '--id-column', 'id', '-c', file);
      await mkdir(join(directory, 'images'));
      for (const image of ['cat-01.jpg', 'key-03.png']) await cp(join(repository, 'examples/images', image), join(directory, 'images', image));
      await writeFile(join(directory, 'images/torn.jpg'), Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]));
      await succeed('publish', 'images', join(directory, 'images'), '--source', 's', '-c', file);
      const waiting = await lagOf(file);
      expect(waiting.total).toMatchObject({ lag: 31, oldestAgeMs: expect.any(Number) as number });
      expect(waiting.of(topics.record).map(({ committed }) => committed)).toEqual([null, null]);
      await run(file);
      expect((await lagOf(file)).total).toEqual({ lag: 0, oldestAgeMs: null });
      // Behind the last feature stands the marker of its transaction. What a transaction commits is told once its markers are written.
      await vi.waitFor(async () => {
        for (const topic of [topics.text, topics.record, topics.media]) expect(await foreignLag(prefix, 'extract', topic), topic).toEqual([0, 0]);
        expect(await foreignLag(prefix, 'cluster', topics.features)).toEqual([0, 0]);
      }, { timeout: 20_000 });

      const labels = await topicContents(file, topics.labels);
      expect(labels.filter(({ key }) => ['s/cat-01.jpg', 's/key-03.png'].includes(key as string))).toHaveLength(2);
      const found = await objects('clusters', 'list', '-c', file);
      expect(found.map(({ size }) => size)).toEqual([3, 3]);
      expect(found[0]).toHaveProperty('heldAt');
      const id = found[0]!['id'] as string;
      const [shown] = await objects('clusters', 'show', id, '-c', file);
      expect(shown?.['members']).toHaveLength(3);
      await succeed('clusters', 'label', id, 'First', 'one', '-c', file);

      const letters = await list(file);
      expect(letters.every(({ state }) => state === 'open')).toBe(true);
      expect(letters.map(({ item }) => item).sort()).toEqual(expect.arrayContaining(['s/torn.jpg']));
      const torn = letters.find(({ item }) => item === 's/torn.jpg')?.['id'] as string;
      expect(await objects('dlq', 'show', torn, '-c', file)).toMatchObject([{ id: torn }]);
      expect(await objects('dlq', 'redrive', torn, '--dry-run', '-c', file)).toMatchObject([{ id: torn, outcome: 'would-redrive' }, { redriven: 0, wouldRedrive: 1 }]);
      expect(await objects('dlq', 'redrive', torn, '-c', file)).toMatchObject([{ id: torn, outcome: 'redriven' }, { redriven: 1 }]);
      expect((await runProgram('dlq', 'redrive', torn, '-c', file)).stderr).toContain('LS_CLI_RANGE_EMPTY');
      expect(await list(file, '--origin', `${prefix}.${topics.media}`)).toEqual(await list(file, '--origin', topics.media));
      const range = ['--topic', `${prefix}.${topics.record}`, '--partition', '0', '--from', '0', '-c', file];
      const inputs = Number((await objects('replay', ...range, '--dry-run')).at(-1)?.['wouldReplay']);
      expect(inputs).toBeGreaterThan(0);
      expect((await objects('replay', ...range)).at(-1)).toMatchObject({ replayed: inputs, dryRun: false });
      const before = await extractedLabels(file);
      await run(file);
      const after = await extractedLabels(file);
      expect([after.length, new Set(after.map(({ id: label }) => label)).size]).toEqual([before.length + inputs, before.length]);
      // Redriven, and torn as before: a letter of its own.
      expect((await list(file)).filter(({ item }) => item === 's/torn.jpg').map(({ state }) => state)).toEqual(['failed', 'open']);
      expect(await clustersIn(file)).toContainEqual({ id, size: 3, name: 'First one' });

      const [member] = (shown?.['members'] as { readonly itemId: string }[]).map(({ itemId }) => itemId);
      const forgotten = await objects('forget', member!, '-c', file);
      expect(forgotten).toMatchObject([{ forgotten: [member], inCollections: [member] }]);
      expect(JSON.stringify(forgotten[0]?.['stillIn'])).not.toContain(`topics in ${directory}`);
      await run(file);
      expect((await runProgram('clusters', 'show', member!, '-c', file)).stderr).toContain('LS_CLI_NOT_FOUND');
      expect((await lagOf(file)).total).toEqual({ lag: 0, oldestAgeMs: null });
    });
  });

  test('beside a live run: lag falls to nothing, clusters are told with where they hold', async () => {
    await withDirectory(async (directory) => {
      const prefix = 'live';
      const file = await prepared(directory, prefix);
      await succeed('topics', 'create', '-c', file);
      await withRun(file, async (live) => {
        await succeed('publish', 'text', await writeTexts(directory, 'texts.jsonl', { a: 'red', b: 'red', c: 'red' }), '--source', 's', '--id-column', 'id', '-c', file);
        await vi.waitUntil(async () => (await clustersIn(file)).some(({ size }) => size === 3), { timeout: 60_000 });
        expect((await objects('clusters', 'list', '-c', file))[0]?.['heldAt']).toHaveLength(partitionCount);
        expect((await lagOf(file)).total).toEqual({ lag: 0, oldestAgeMs: null });
        const refused = await runProgram('groups', 'reset', '--topic', topics.text, '--to', 'earliest', '-c', file);
        expect(refused.stderr).toContain('LS_TRANSPORT_GROUP_ACTIVE');
        const tail = startProgram(['tail', topics.labels, '--json', '-c', file]);
        await vi.waitUntil(async () => {
          await succeed('publish', 'text', await writeTexts(directory, 'more.jsonl', { [`d${Date.now()}`]: 'red' }), '--source', 's', '--id-column', 'id', '-c', file);
          return tail.stdoutSoFar().includes('"s/d');
        }, { timeout: 60_000 });
        tail.kill('SIGTERM');
        await tail.finished;
        live.kill('SIGTERM');
        expect((await live.finished).code).toBe(0);
      });
    });
  });

  test('what retention took: markers alone are no loss, records are, until the gap is accepted', async () => {
    await withDirectory(async (directory) => {
      const prefix = 'lost';
      const file = await prepared(directory, prefix);
      await succeed('topics', 'create', '-c', file);
      await succeed('publish', 'text', await writeTexts(directory, 'texts.jsonl', { a: 'red', b: 'red', c: 'red', empty: '' }), '--source', 's', '--id-column', 'id', '-c', file);
      await run(file);
      await succeed('dlq', 'redrive', '--all', '-c', file);
      await runUntilBehindMarkers(file, prefix);
      const before = await clustersIn(file);
      expect(before).toMatchObject([{ size: 3 }]);
      for (const topic of [...inputTopics, topics.features]) await takeAll(prefix, topic);
      const emptied = await objects('lag', '-c', file);
      expect(emptied.filter(({ positionLost }) => positionLost === true)).toEqual([]);
      expect(emptied.at(-1)).toEqual({ total: { lag: 0, oldestAgeMs: null } });
      expect(await clustersIn(file)).toEqual(before);
      await run(file);
      expect(await clustersIn(file)).toEqual(before);
      await succeed('publish', 'text', await writeTexts(directory, 'more.jsonl', { d: 'red' }), '--source', 's', '--id-column', 'id', '-c', file);
      await run(file);
      expect(await clustersIn(file)).toEqual([{ ...before[0], size: 4 }]);

      // Only the input: what was folded stays.
      await succeed('publish', 'text', await writeTexts(directory, 'lost.jsonl', { e: 'red', f: 'red', g: 'red', h: 'red' }), '--source', 's', '--id-column', 'id', '-c', file);
      await takeAll(prefix, topics.text);
      expect((await lagOf(file)).of(topics.text).some(({ positionLost }) => positionLost === true)).toBe(true);
      const stopped = await runProgram('run', '-c', file, '--until-idle');
      expect([stopped.code === 0, stopped.stderr]).toEqual([false, expect.stringContaining('LS_TRANSPORT_POSITION_LOST')]);
      // As errors name it.
      expect(stopped.stderr).toContain(`${prefix}.${topics.text}`);
      expect(await objects('groups', 'reset', '--topic', `${prefix}.${topics.text}`, '--to', 'earliest', '--dry-run', '-c', file)).toMatchObject([{ topic: topics.text }, { topic: topics.text }]);
      await vi.waitUntil(async () => (await runProgram('groups', 'reset', '--topic', topics.text, '--to', 'earliest', '-c', file)).code === 0, { timeout: 30_000 });
      await run(file);
      expect((await lagOf(file)).total).toEqual({ lag: 0, oldestAgeMs: null });
    });
  });

  test('two redrives at once redrive each dead letter once between them', async () => {
    await withDirectory(async (directory) => {
      const letterCount = 800;
      const file = await prepared(directory, 'twice', 'from: record, where: { source: nobody }');
      await succeed('topics', 'create', '-c', file);
      await succeed('publish', 'records', await writeNotes(directory, 'notes.csv', letterCount), '--source', 's', '--id-column', 'id', '-c', file);
      await run(file);
      const ids = (await list(file, '--state', 'open')).map(({ id }) => id as string).sort();
      expect(ids).toHaveLength(letterCount);
      await writeConfiguration(directory, configuration('twice'));
      const both = await Promise.all([0, 1].map(() => startProgram(['dlq', 'redrive', '--all', '--json', '-c', file]).finished));
      const told = both.map(({ code, stdout, stderr }) => {
        const printed = jsonLines(stdout).filter(({ outcome }) => outcome === 'redriven').length;
        if (code !== 0) expect(stderr).toMatch(/\[LS_TRANSPORT_FENCED\]|\[LS_CLI_RANGE_EMPTY\]/);
        return printed;
      });
      console.log(`redriven by each: ${told.join(', ')}`);
      const marks = (await recordsIn(file, topics.redrive)).map(({ headers }) => headers.get(headerNames.redriveOf)?.toString()).sort();
      expect(marks).toEqual(ids);
      expect(told[0]! + told[1]!).toBe(letterCount);
      await run(file);
      const labels = await extractedLabels(file);
      expect([labels.length, new Set(labels.map(({ id }) => id)).size]).toEqual([letterCount, letterCount]);
      expect(await list(file, '--state', 'resolved')).toHaveLength(letterCount);
    });
  });
});
