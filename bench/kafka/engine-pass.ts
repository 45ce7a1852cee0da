/** The same work by the engine: a stage that copies, on a consumer group, with everything that the runner does for one that does more. */
import { randomUUID } from 'node:crypto';
import type { ConsumedRecord, OutputRecord } from '../../src/core/records.ts';
import { defaultRunnerLimits } from '../../src/pipeline/limits.ts';
import { silentObserver } from '../../src/pipeline/observe.ts';
import { startRunner } from '../../src/pipeline/runner.ts';
import type { MapStage } from '../../src/pipeline/stage.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { sendRecordsMax, startWatch, withTransport, type Measured, type PassPlan } from './messages.ts';

export type EngineOptions = {
  readonly producer: 'kafkajs' | 'platformatic';
  readonly delivery: Delivery;
  /** How long a delivery waits for company, and then of any size: for comparing transactions of a certain time. Left out: full ones go at once. */
  readonly lingerMs?: number;
  /** Told the records of each delivery. */
  readonly delivered?: (records: number) => void;
  /** What becomes of a record; left out: itself. */
  readonly map?: (record: ConsumedRecord) => Pick<OutputRecord, 'key' | 'value' | 'headers'>;
};

export function enginePass({ brokers, input, output, messageCount }: PassPlan, { producer, delivery, lingerMs, map, delivered }: EngineOptions): Promise<Measured> {
  return withTransport(brokers, producer, async (transport) => {
    const finished = Promise.withResolvers<Measured>();
    let watch: ((items: number) => Measured) | undefined;
    let measured: Measured | undefined;
    let done = 0;
    // What lingers at the end waits for company that does not come: it is no part of a stream.
    const counted = lingerMs === undefined ? messageCount : messageCount * 0.9;
    const runner = await startRunner({
      transport,
      stage: copying(input, output, map),
      group: randomUUID(),
      delivery,
      clock: systemClock,
      random: Math.random,
      limits: { ...defaultRunnerLimits, ...(lingerMs === undefined ? { deliveryRecordsMax: sendRecordsMax } : lingering(lingerMs)) },
      observer: {
        ...silentObserver,
        polled: () => {
          watch ??= startWatch();
        },
        delivered: (_partition, { inputs }) => {
          done += inputs;
          delivered?.(inputs);
          if (done >= counted) measured ??= watch?.(done);
          if (done >= messageCount && measured !== undefined) finished.resolve(measured);
        },
      },
    });
    void runner.failed.then(finished.reject);
    try {
      return await finished.promise;
    } finally {
      await runner.stop({ deadlineMs: 10_000 });
    }
  });
}

/** Room for all that arrives meanwhile. */
function lingering(lingerMs: number) {
  const records = 20_000;
  return { lingerMs, deliveryRecordsMax: records, deliveryBytesMax: 64 * 1024 * 1024, recordsInFlightMax: 8 * records, partitionRecordsInFlightMax: 2 * records };
}

function copying(input: string, output: string, map: EngineOptions['map']): MapStage {
  return {
    kind: 'map',
    name: 'copy',
    topics: [input],
    process: (record) => {
      const { key, value, headers } = map === undefined ? record : map(record);
      return Promise.resolve({ outputs: [{ topic: output, partition: record.partition, key, value, headers }], systemFailures: [] });
    },
    park: () => undefined,
  };
}
