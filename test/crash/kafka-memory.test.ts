// A backlog that is read much faster than the model works: what is held stays within the bytes allowed, and the resident set is flat. Garbage is collected
// before each measurement: otherwise what it takes swings by more than a leak would. What a leak takes grows for as long as there are records; heaps, buffers and
// the allocator's arenas grow until they have what they need, on some days later than on others: so one of a few windows after the first must be flat.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Access } from '../../src/compose.ts';
import { itemIdOf } from '../../src/core/ids.ts';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { allTopics, inputTopics, topics } from '../../src/core/topics.ts';
import { startKafka } from '../brokers/kafka-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { openSilently, prepareWith, repository } from './crash-harness.ts';
import { createInstance, type Instance } from './kafka-instance.ts';
import type { Memory } from './memory-gauge.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
/** Those before the first window are for heaps and buffers to grow to what they need, which most have after about 150,000. */
const windowRecordCount = full ? 2_000_000 : 200_000;
const windowCountMax = 3;
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
const recordsPerSample = windowRecordCount / 40;
const timeoutMs = ((windowCountMax + 1) * windowRecordCount * 3) / 2;
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
type Watched = { readonly samples: readonly Sample[]; readonly heldBytesMost: number };

describeWith({ ...(await kafkaNeeds()), 'the resident set of a process as Linux tells it': process.platform === 'linux' }, 'a backlog over Kafka', () => {
  test(
    `memory is flat over ${windowRecordCount} records, and no more bytes are held than allowed`,
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'labelstream-memory-'));
      const broker = await startKafka();
      const instance = createInstance('memory', { isGauged: true });
      try {
        const harness = await prepareWith(directory, configurationText(broker.brokers));
        const access = await openSilently(harness);
        try {
          await access.transport.createTopics(allTopics.map((topic) => ({ topic, partitionCount })));
          await publishBacklog(access, 0, 2 * windowRecordCount);
          instance.start(harness.configurationFile);
          expect(await instance.working(60_000), instance.output()).toBe(true);
          let { heldBytesMost } = await watch(instance, access, 0);
          let isFlat = false;
          for (let window = 1; window <= windowCountMax && !isFlat; window += 1) {
            if (window > 1) await publishBacklog(access, window * windowRecordCount, windowRecordCount);
            const watched = await watch(instance, access, window * windowRecordCount);
            expect(watched.samples.length).toBeGreaterThan(10);
            heldBytesMost = Math.max(heldBytesMost, watched.heldBytesMost);
            isFlat = isFlatOver(watched.samples);
          }
          console.log(`memory: at most ${Math.round(heldBytesMost / 1024)} of ${Math.round(backlogBytesMax / 1024)} KiB held`);
          expect(isFlat, 'grew in each of the windows').toBe(true);
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

async function publishBacklog({ codec, transport }: Access, from: number, recordCount: number): Promise<void> {
  const padding = 'x'.repeat(300);
  for (let first = from; first < from + recordCount; first += publishedTogether) {
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

/** Until the records of one window are handled; the last sample is taken before what was read ahead comes to its end. */
async function watch(instance: Instance, { transport }: Access, from: number): Promise<Watched> {
  const samples: Sample[] = [];
  const to = from + windowRecordCount;
  let heldBytesMost = 0;
  let nextSampleAt = from;
  for (let handled = 0, polls = 1; handled < to; polls += 1) {
    instance.endedByItself();
    const places = Array.from({ length: partitionCount }, (_, partition) => transport.committed('memory-extract', { topic: topics.record, partition }));
    // Sequences of what was published without transactions count its records.
    handled = (await Promise.all(places)).reduce((sum, checkpoint) => sum + (checkpoint === undefined ? 0 : Number(checkpoint.sequence) + 1), 0);
    if (handled >= nextSampleAt && handled < to - recordsPerSample / 2) {
      nextSampleAt = handled + recordsPerSample;
      samples.push({ handled, ...(await instance.memory()) });
    }
    if (polls % 8 === 0) heldBytesMost = Math.max(heldBytesMost, (await instance.metric('labelstream_in_flight_bytes', `topic="${topics.record}"`)) ?? 0);
    await delay(pollMs);
  }
  return { samples, heldBytesMost };
}

/** Neither does the resident set grow, nor what is live into room that was there already. */
function isFlatOver(samples: readonly Sample[]): boolean {
  const meanBytes = mean(samples.map(({ residentBytes }) => residentBytes));
  const residentSlope = slopeOf(samples, ({ residentBytes }) => residentBytes) / meanBytes;
  const liveSlope = slopeOf(samples, ({ liveBytes }) => liveBytes) / meanBytes;
  console.log(
    `memory: ${samples.length} samples of ${windowRecordCount} records, ${Math.round(meanBytes / 2 ** 20)} MB resident; ` +
      `per 100,000 records ${(residentSlope * 100).toFixed(2)} % of it more, ${(liveSlope * 100).toFixed(2)} % more live`,
  );
  return residentSlope < slopeMax && liveSlope < slopeMax;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Bytes per 100,000 records, by least squares. */
function slopeOf(samples: readonly Sample[], bytesOf: (sample: Sample) => number): number {
  const meanHandled = mean(samples.map(({ handled }) => handled));
  const meanBytes = mean(samples.map(bytesOf));
  let covariance = 0;
  let variance = 0;
  for (const sample of samples) {
    covariance += (sample.handled - meanHandled) * (bytesOf(sample) - meanBytes);
    variance += (sample.handled - meanHandled) ** 2;
  }
  return (covariance / variance) * 100_000;
}
