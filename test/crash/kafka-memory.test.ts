// A backlog that is read much faster than the model works: what is held stays within the bytes allowed, and the resident set is flat.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
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

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
/** The first half is for heaps and buffers to grow to what they need, which they have after about 150,000; the second is measured. */
const recordCount = full ? 4_000_000 : 400_000;
const partitionCount = 4;
/** Shared by the partitions of all that EXTRACT reads, most of which have no records here. */
const inFlightBytesMax = 1024 * 1024;
/** As `recordBytes` counts them, about 700 for each record: some sixty records of a partition. */
const backlogBytesMax = (inFlightBytesMax / (inputTopics.length * partitionCount)) * partitionCount;
/** The room bounds what is read; the results of what is held count, too, and come on top of it. */
const tolerance = 1.5;
const publishedTogether = 2_000;
const sampleMs = 500;
const timeoutMs = recordCount / 1_000 * 1_500;
/** Of the mean resident set, per 100,000 records. In the short run the collector's own swings count more: what is left is some fifty bytes a record. */
const slopeMax = full ? 0.01 : 0.03;

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

type Sample = { readonly handled: number; readonly residentBytes: number };

describeWith({ ...(await kafkaNeeds()), 'the resident set of a process as Linux tells it': process.platform === 'linux' }, 'a backlog over Kafka', () => {
  test(
    `memory is flat over ${recordCount / 2} records, and no more bytes are held than allowed`,
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'labelstream-memory-'));
      const broker = await startKafka();
      const instance = createInstance('memory');
      try {
        const harness = await prepareWith(directory, configurationText(broker.brokers));
        const access = await openSilently(harness);
        try {
          await access.transport.createTopics(allTopics.map((topic) => ({ topic, partitionCount })));
          await publishBacklog(access);
          const startedMs = performance.now();
          instance.start(harness.configurationFile);
          expect(await instance.working(60_000), instance.output()).toBe(true);
          const { samples, heldBytesMost } = await watch(instance, access);
          const secondHalf = samples.filter(({ handled }) => handled >= recordCount / 2);
          const slope = relativeSlope(secondHalf);
          const mean = secondHalf.reduce((sum, { residentBytes }) => sum + residentBytes, 0) / secondHalf.length;
          console.log(
            `memory: ${recordCount} records, ${secondHalf.length} samples of the second half (${Math.round((performance.now() - startedMs) / 1000)} s in all), ${Math.round(mean / 2 ** 20)} MB resident, ` +
              `${(slope * 100).toFixed(2)} % per 100,000 records; at most ${Math.round(heldBytesMost / 1024)} of ${Math.round(backlogBytesMax / 1024)} KiB held`,
          );
          expect(secondHalf.length).toBeGreaterThan(10);
          expect(slope).toBeLessThan(slopeMax);
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

/** Until everything is handled. */
async function watch(instance: Instance, { transport }: Access): Promise<{ readonly samples: readonly Sample[]; readonly heldBytesMost: number }> {
  const samples: Sample[] = [];
  let heldBytesMost = 0;
  for (let handled = 0; handled < recordCount; ) {
    instance.endedByItself();
    const places = Array.from({ length: partitionCount }, (_, partition) => transport.committed('memory-extract', { topic: topics.record, partition }));
    // Sequences of what was published without transactions count its records.
    handled = (await Promise.all(places)).reduce((sum, checkpoint) => sum + (checkpoint === undefined ? 0 : Number(checkpoint.sequence) + 1), 0);
    samples.push({ handled, residentBytes: await residentBytesOf(instance.pid()) });
    if (samples.length % 8 === 0) heldBytesMost = Math.max(heldBytesMost, (await instance.metric('labelstream_in_flight_bytes', `topic="${topics.record}"`)) ?? 0);
    await delay(sampleMs);
  }
  return { samples, heldBytesMost };
}

async function residentBytesOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Least squares over the records handled, as a share of the mean, per 100,000 records. */
function relativeSlope(samples: readonly Sample[]): number {
  const meanHandled = samples.reduce((sum, { handled }) => sum + handled, 0) / samples.length;
  const meanBytes = samples.reduce((sum, { residentBytes }) => sum + residentBytes, 0) / samples.length;
  let covariance = 0;
  let variance = 0;
  for (const { handled, residentBytes } of samples) {
    covariance += (handled - meanHandled) * (residentBytes - meanBytes);
    variance += (handled - meanHandled) ** 2;
  }
  return ((covariance / variance) * 100_000) / meanBytes;
}
