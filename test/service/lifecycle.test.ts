// What a service waits for, tells and leaves behind when it ends, seen from inside the process that runs it.
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import type { Codec } from '../../src/codec/codec.ts';
import type { Access } from '../../src/open-access.ts';
import { createProcessContext, type ServiceContext } from '../../src/process-context.ts';
import { loadConfiguration, type Configuration } from '../../src/config/load.ts';
import type { Origin, TextEvent } from '../../src/core/events.generated.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders, type ConsumedRecord, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { encodeOrigin, headerNames } from '../../src/pipeline/headers.ts';
import { startService, type Service } from '../../src/service.ts';
import { tasks } from '../../src/tasks/registry.ts';
import { textsConfiguration, withLog, writeEncoder } from '../cli/fixtures.ts';
import { jsonLines, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 120_000 });

type Started = { readonly service: Service; readonly access: Access; readonly context: ServiceContext; readonly logged: () => Record<string, unknown>[] };

/** @param settings are added to those of texts in one collection of one partition. */
async function withServiceDirectory(settings: string, use: (file: string) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    await use(await writeConfiguration(directory, `${textsConfiguration()}transport: { partitionCount: 1 }\n${settings}`));
  });
}

async function configurationOf(file: string, assignments: readonly string[]): Promise<Configuration> {
  const { configuration, mistakes } = await loadConfiguration({ file, environment: {}, assignments, tasks: [...tasks.values()] });
  if (configuration === undefined) throw new Error(JSON.stringify(mistakes));
  return configuration;
}

/** Stops the service when the test does. */
async function withService<Result>(file: string, use: (started: Started) => Promise<Result>, assignments: readonly string[] = []): Promise<Result> {
  let text = '';
  const lines = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  const context = await createProcessContext(pino({ level: 'debug' }, lines));
  const service = await startService(await configurationOf(file, assignments), context, new AbortController().signal);
  try {
    return await use({ service, access: service.access, context, logged: () => jsonLines(text) });
  } finally {
    await service.stop();
  }
}

function text(codec: Codec, id: string, words = 'river'): OutputRecord {
  const event: TextEvent = { id, source: 's', occurredAt: 1_700_000_000_000, text: words, language: null, collection: null, attributes: {}, tasks: [], deleted: false };
  return { topic: topics.text, partition: 0, key: Buffer.from(`s/${id}`), value: codec.encode('TextEvent', event), headers: noHeaders };
}

/** No event: its dead letter is there at once, while a text waits for its model. */
const garbage: OutputRecord = { topic: topics.text, partition: 0, key: null, value: Buffer.from('garbage'), headers: noHeaders };

async function contentsOf({ transport }: Access, topic: string): Promise<readonly ConsumedRecord[]> {
  const place = { topic, partition: 0 };
  const { start, end } = await transport.bounds(place);
  if (start.position === end.position) return [];
  return transport.read(place, start.position, { records: 1_000, bytes: 8 * 1024 * 1024 }, new AbortController().signal);
}

async function featuresOf(access: Access) {
  const decoded = (await contentsOf(access, topics.features)).map(({ value }) => access.codec.decode(value));
  return decoded.flatMap(({ schema, event }) => (schema === 'FeatureEvent' ? [event] : []));
}

/** Records of `features` that CLUSTER has committed, and all that there are. */
async function foldedOf({ transport, configuration }: Access): Promise<{ readonly folded: bigint; readonly all: bigint }> {
  const place = { topic: topics.features, partition: 0 };
  const committed = await transport.committed(`${configuration.group}-cluster`, place);
  const { end } = await transport.bounds(place);
  return { folded: (committed?.sequence ?? -1n) + 1n, all: end.sequence };
}

/** A text waits so long for others to share its batch with: longer than the hold of the tests, less than the default one. */
const slowModels = 'inference: { batchLingerMs: 1200 }\n';

test('a record that holds others back longer than extract.holdMsMax is parked, and idle means that its result is there', async () => {
  await withServiceDirectory(`${slowModels}extract: { holdMsMax: 50 }\n`, async (file) => {
    await withLog(file, ({ transport, codec }) => transport.append([text(codec, 'slow'), garbage]));
    await withService(file, async ({ service, access }) => {
      await service.untilIdle();
      const parked = await contentsOf(access, topics.parked);
      const [feature, ...others] = await featuresOf(access);
      expect(parked.map(({ key }) => key?.toString())).toEqual(['s/slow']);
      expect(others).toEqual([]);
      expect(feature).toMatchObject({ itemId: 's/slow', origin: { topic: topics.text, sequence: 0n }, read: { incarnation: parked[0]?.incarnation, sequence: 0n } });
      expect(await contentsOf(access, topics.deadLetters)).toHaveLength(1);
    });
  });
});

test('a record that was parked before the start is done before the service is idle', async () => {
  await withServiceDirectory(slowModels, async (file) => {
    const origin: Origin = { topic: topics.text, incarnation: 'earlier', partition: 0, sequence: 7n, appendTime: 1_700_000_000_000 };
    await withLog(file, ({ transport, codec }) =>
      transport.append([{ ...text(codec, 'left'), topic: topics.parked, headers: new Map([[headerNames.origin, encodeOrigin(origin)]]) }]),
    );
    await withService(file, async ({ service, access }) => {
      await service.untilIdle();
      expect(await featuresOf(access)).toMatchObject([{ itemId: 's/left', origin }]);
    });
  });
});

test('a failure of CLUSTER is a failure of the service', async () => {
  await withServiceDirectory('', async (file) => {
    await withLog(file, ({ transport, codec }) => transport.append([text(codec, 'a')]));
    await withService(file, async ({ service, access }) => {
      await service.untilIdle();
      const [sent] = await featuresOf(access);
      if (sent === undefined) throw new Error('the feature is gone');
      // What an EXTRACT with another model version would have sent.
      const read = { ...sent.read, sequence: sent.read.sequence + 1n };
      const value = access.codec.encode('FeatureEvent', { ...sent, read, modelVersion: '9.9.9' });
      await access.transport.append([{ topic: topics.features, partition: partitionForKey(sent.family, 1), key: Buffer.from(sent.family), value, headers: noHeaders }]);
      expect((await service.failed).message).toContain('LS_CLUSTER_MODEL_UNDECLARED');
    });
  });
});

test('what is in flight at a stop is extracted, and CLUSTER folds it before it stops, too', async () => {
  await withServiceDirectory(slowModels, async (file) => {
    await withService(file, async ({ service, access, context }) => {
      await access.transport.append([text(access.codec, 'last')]);
      while (!/in_flight_records\{stage="extract",topic="text.events",partition="0"\} 1/.test(await context.metrics.registry.metrics())) await sleep(5);
      expect(await featuresOf(access)).toEqual([]);
      expect(await service.stop()).toEqual({ forced: false });
    });
    await withLog(file, async (access) => {
      expect(await featuresOf(access)).toMatchObject([{ itemId: 's/last' }]);
      const { folded, all } = await foldedOf(access);
      expect(folded).toBe(all);
    });
  });
});

test('a start restores the newest snapshot and folds what came after it, nothing else', async () => {
  await withServiceDirectory('', async (file) => {
    const run = (ids: readonly string[], snapshotRecords: number) =>
      withService(
        file,
        async ({ service, access, logged }) => {
          await service.untilIdle();
          const { folded: before } = await foldedOf(access);
          await access.transport.append(ids.map((id) => text(access.codec, id)));
          await service.untilIdle();
          // A snapshot follows the commit that idleness waits for.
          await service.stop();
          const told = (message: string) => logged().filter(({ msg }) => msg === message);
          return { restored: told('state restored')[0], before, written: told('snapshot written').length };
        },
        [`cluster.snapshotRecords=${snapshotRecords}`],
      );
    const first = await run(Array.from({ length: 40 }, (_, index) => `a${index}`), 10);
    expect(first.restored).toMatchObject({ snapshotSequence: 'none', records: 0 });
    expect(first.written).toBeGreaterThanOrEqual(1);
    const second = await run(['b0', 'b1', 'b2'], 1_000_000);
    expect(second.written).toBe(0);
    const { restored, before } = await run([], 1_000_000);
    const sequence = BigInt(String(restored?.['snapshotSequence']));
    expect(sequence).toBeGreaterThanOrEqual(9n);
    // The define, 40 features and 3: the snapshot stands before the last three at the latest.
    expect(before).toBe(44n);
    expect(restored).toMatchObject({ stage: 'cluster', records: Number(before - sequence) - 1 });
    expect(restored?.['records']).toBeGreaterThanOrEqual(3);
  });
});

// Less time than the default interval has.
test('a snapshot is written after cluster.snapshotIntervalMs, too', { timeout: 50_000 }, async () => {
  await withServiceDirectory('cluster: { snapshotIntervalMs: 1 }\n', async (file) => {
    await withLog(file, ({ transport, codec }) => transport.append([text(codec, 'a')]));
    await withService(file, async ({ service, logged }) => {
      await service.untilIdle();
      // Its absence is what times the test out.
      while (!logged().some(({ msg }) => msg === 'snapshot written')) await sleep(5);
    });
  });
});
