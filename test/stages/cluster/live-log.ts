/** A features topic of the embedded log in memory, and what follows it. */
import { onTestFinished } from 'vitest';
import type { ConsumedRecord } from '../../../src/core/records.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import type { LiveClusters } from '../../../src/stages/cluster/cluster-queries.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { createLiveClusters, type OwnedPartitions } from '../../../src/stages/cluster/live-clusters.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import { createMemoryStateStore } from '../../pipeline/memory-state-store.ts';
import { createMemoryLogStore } from '../../transports/log/memory-log-store.ts';
import { codec, encodeIncoming, partitionCounts } from './fold-harness.ts';

export const never = new AbortController().signal;
export const nobody: OwnedPartitions = { find: () => undefined, watch: () => undefined };

export async function openLog(partitionCount = 2) {
  const store = createMemoryLogStore(() => 1000);
  const transport = createLogTransport(store, { recordBytesMax: 1024 * 1024 });
  await transport.createTopics([{ topic: 'features', partitionCount }]);
  const stage = createClusterStage({ codec, partitionCounts });
  const stateStore = createMemoryStateStore();
  const { incarnation } = await transport.describeTopic('features');
  const follower = { transport, stateStore, stage, group: 'g' };
  return {
    store, transport, stage, stateStore, incarnation, follower,
    append: (events: readonly Parameters<typeof encodeIncoming>[0][], partition = 1) => transport.append(events.map((event) => ({ topic: 'features', partition, key: null, value: encodeIncoming(event), headers: new Map() }))),
    live: (owned: OwnedPartitions = nobody, followerIdleMsMax = 60_000): LiveClusters => {
      const clusters = createLiveClusters({ ...follower, owned, clock: systemClock, followerIdleMsMax });
      onTestFinished(() => clusters.close());
      return clusters;
    },
    /** As the owner does. */
    snapshotOf: async (records: readonly ConsumedRecord[]): Promise<void> => {
      const partition = stage.open({ topic: 'features', partition: 1, incarnation });
      await partition.fold(records);
      const { sequence, nextPosition: position } = records.at(-1)!;
      await stateStore.write({ stage: stage.name, topic: 'features', incarnation, partition: 1, sequence, position }, partition.snapshot());
    },
    read: (): Promise<readonly ConsumedRecord[]> => transport.read({ topic: 'features', partition: 1 }, undefined, { records: 1_000, bytes: 1024 * 1024 }, never),
  };
}
