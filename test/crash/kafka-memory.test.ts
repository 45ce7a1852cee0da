// A backlog that is read much faster than the model works: what is held stays within the bytes allowed, and the resident set is flat. Garbage is collected
// before each measurement: otherwise what it takes swings by more than a leak would.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Access } from '../../src/open-access.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { allTopics, inputTopics, topics } from '../../src/core/topics.ts';
import { startKafka } from '../brokers/kafka-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { openSilently, prepareWith, repository } from './crash-harness.ts';
import { createInstance, type Instance } from './kafka-instance.ts';
import type { Memory } from './memory-gauge.ts';
import { mean, slopeOf } from '../slope.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
/** For heaps and buffers to grow to what they need, which most have after about 150,000. */
const warmUpRecordCount = full ? 2_000_000 : 200_000;
/** Enough that an arena of the allocator, which grows late and once, is told from a leak, which grows all the time. */
const measuredRecordCount = full ? 2_000_000 : 600_000;
const recordCount = warmUpRecordCount + measuredRecordCount;
const partitionCount = 4;
/** Shared by the partitions of all that EXTRACT reads, most of which have no records here. */
const inFlightBytesMax = 1024 * 1024;
/** As `recordBytes` counts them, about 700 for each record: some sixty records of a partition. */
const backlogBytesMax = (inFlightBytesMax / (inputTopics.length * partitionCount)) * partitionCount;
/** The room bounds what is read; the results of what is held count, too, and come on top of it. */
const tolerance = 1.5;
const publishedTogether = 2_000;
const pollMs = 250;
/** Over the whole run: what garbage took before the first would be room in which growth is not seen. */
const recordsPerSample = measuredRecordCount / 40;
const timeoutMs = recordCount / 1_000 * 1_500;
/** Of the mean resident set, per 100,000 records: some forty bytes a record. */
const slopeMax = 0.01;

function configurationText(brokers: string): string {
  return `
dataDirectory: .
delivery: exactly-once
group: memory
server: { enabled: true, port: 0 }
transport: { kind: kafka, brokers: ["${brokers}"], producer: platformatic, partitionCount: ${partitionCount} }
models: { notes: { directory: ${join(repository, 'models/banknote-classifier')} } }
routes: [{ name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }]
extract: { inFlightBytesMax: ${inFlightBytesMax}, inFlightRecordsMax: 1000000 }
`;
}

type Sample = Memory & { readonly handled: number };

describeWith({ ...(await kafkaNeeds()), 'the resident set of a process as Linux tells it': process.platform === 'linux' }, 'a backlog over Kafka', () => {
  test(
    `memory is flat over ${measuredRecordCount} records, and no more bytes are held than allowed`,
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'labelstream-memory-'));
      const broker = await startKafka();
      const instance = createInstance('memory', { isGauged: true });
      try {
        const harness = await prepareWith(directory, configurationText(broker.brokers));
        const access = await openSilently(harness);
        try {
          await access.transport.createTopics(allTopics.map((topic) => ({ topic, partitionCount })));
          await publishBacklog(access);
          const startedMs = performance.now();
          instance.start(harness.configurationFile);
          expect(await instance.working(60_000), instance.output()).toBe(true);
          const { samples: all, heldBytesMost } = await watch(instance, access);
          const samples = all.filter(({ handled }) => handled >= warmUpRecordCount);
          const meanBytes = mean(samples.map(({ residentBytes }) => residentBytes));
          const slope = growthOf(samples.map(({ handled, residentBytes }) => ({ x: handled, y: residentBytes }))) / meanBytes;
          const liveSlope = growthOf(samples.map(({ handled, liveBytes }) => ({ x: handled, y: liveBytes }))) / meanBytes;
          console.log(
            `memory: ${recordCount} records, ${samples.length} samples after ${warmUpRecordCount} (${Math.round((performance.now() - startedMs) / 1000)} s in all), ${Math.round(meanBytes / 2 ** 20)} MB resident; ` +
              `per 100,000 records ${(slope * 100).toFixed(2)} % of it more, ${(liveSlope * 100).toFixed(2)} % more live; at most ${Math.round(heldBytesMost / 1024)} of ${Math.round(backlogBytesMax / 1024)} KiB held`,
          );
          expect(samples.length).toBeGreaterThan(10);
          expect(slope).toBeLessThan(slopeMax);
          // Nor does it grow into room that was there already.
          expect(liveSlope).toBeLessThan(slopeMax);
          // Nearly all that is allowed was used: the model held the reading back, not the other way round.
          expect(heldBytesMost).toBeGreaterThan(backlogBytesMax / 2);
          expect(heldBytesMost).toBeLessThanOrEqual(backlogBytesMax * tolerance);
          await instance.leave();
        } finally {
          await access.close();
        }
      } finally {
        await instance.kill();
        await broker.close();
        await rm(directory, { recursive: true, force: true });
      }
    },
    timeoutMs,
  );
});

async function publishBacklog({ codec, transport }: Access): Promise<void> {
  const padding = 'x'.repeat(300);
  for (let first = 0; first < recordCount; first += publishedTogether) {
    const records = Array.from({ length: publishedTogether }, (_, offset): OutputRecord => {
      const index = first + offset;
      const values = { variance: (index % 13) - 6, skewness: (index % 7) - 3, curtosis: (index % 11) - 5, entropy: (index % 5) - 2 };
      const event = { id: `n${index}`, source: 'memory', occurredAt: 1_700_000_000_000, values, tasks: [], attributes: { padding } };
      const key = Buffer.from(itemIdOf(event));
      return { topic: topics.record, partition: index % partitionCount, key, value: codec.encode('RecordEvent', event), headers: noHeaders };
    });
    await transport.append(records);
  }
}

/** Until everything is handled; the last sample is taken before what was read ahead comes to its end. */
async function watch(instance: Instance, { transport }: Access): Promise<{ readonly samples: readonly Sample[]; readonly heldBytesMost: number }> {
  const samples: Sample[] = [];
  let heldBytesMost = 0;
  let nextSampleAt = 0;
  for (let handled = 0, polls = 1; handled < recordCount; polls += 1) {
    instance.endedByItself();
    const places = Array.from({ length: partitionCount }, (_, partition) => transport.committed('memory-extract', { topic: topics.record, partition }));
    // Sequences of what was published without transactions count its records.
    handled = (await Promise.all(places)).reduce((sum, checkpoint) => sum + (checkpoint === undefined ? 0 : Number(checkpoint.sequence) + 1), 0);
    if (handled >= nextSampleAt && handled < recordCount - recordsPerSample / 2) {
      nextSampleAt = handled + recordsPerSample;
      samples.push({ handled, ...(await instance.memory()) });
    }
    if (polls % 8 === 0) heldBytesMost = Math.max(heldBytesMost, (await instance.metric('labelstream_in_flight_bytes', `topic="${topics.record}"`)) ?? 0);
    await delay(pollMs);
  }
  return { samples, heldBytesMost };
}

/** Per 100,000 records. */
function growthOf(points: Parameters<typeof slopeOf>[0]): number {
  return 100_000 * slopeOf(points);
}
