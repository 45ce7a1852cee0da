/** Looks into every snapshot that is kept, beside a live owner that writes new ones and removes old ones. */
import { topics } from '../../core/topics.ts';
import type { StateStore } from '../../pipeline/state-store.ts';
import { partitionFolder, sequenceInName } from '../../pipeline/stored-snapshots.ts';
import type { Transport } from '../../pipeline/transport.ts';
import type { PartitionView } from './cluster-queries.ts';
import type { ClusterStage } from './cluster-stage.ts';

export type KeptSnapshot = {
  readonly partition: number;
  readonly incarnation: string;
  readonly sequence: bigint;
  /** Undefined where it is there, but cannot be read. */
  readonly view: PartitionView | undefined;
};

export type KeptSnapshotsOptions = {
  readonly transport: Pick<Transport, 'describeTopic'>;
  readonly stateStore: Pick<StateStore, 'list' | 'readNewest'>;
  readonly stage: Pick<ClusterStage, 'name' | 'open'>;
};

/** Throws the signal's reason. */
export async function* keptSnapshots({ transport, stateStore, stage }: KeptSnapshotsOptions, signal: AbortSignal): AsyncGenerator<KeptSnapshot> {
  const { topic, incarnation, partitionCount } = await transport.describeTopic(topics.features);
  for (let partition = 0; partition < partitionCount; partition++) {
    const key = { stage: stage.name, topic, incarnation, partition };
    for (const sequence of await stateStore.list(key)) {
      signal.throwIfAborted();
      const opened = stage.open({ topic, partition, incarnation });
      // Of an older one, which there is where this one cannot be read, nothing is wanted.
      const isRead = await stateStore.readNewest(key, sequence, async ({ header, chunks }) => header.sequence === sequence && (await isRestored(opened, chunks)));
      // What it holds can still be looked at.
      await opened.close();
      // One that was removed meanwhile holds nothing any more.
      if (isRead === true || (await stateStore.list(key)).includes(sequence)) yield { partition, incarnation, sequence, view: isRead === true ? opened.view : undefined };
    }
  }
}

/**
 * What the store holds besides: snapshots of other lives of `features`, and what a crash left. Nobody restores from it, so what is in it is not
 * known; a snapshot that is being written is among it.
 */
export async function strayNames({ transport, stateStore, stage }: StrayNamesOptions): Promise<readonly string[]> {
  const { topic, incarnation, partitionCount } = await transport.describeTopic(topics.features);
  const folders = new Set(Array.from({ length: partitionCount }, (_, partition) => partitionFolder({ stage: stage.name, topic, incarnation, partition })));
  return (await stateStore.names(stage.name)).filter((name) => {
    const slash = name.lastIndexOf('/');
    return !folders.has(name.slice(0, slash)) || sequenceInName(name.slice(slash + 1)) === undefined;
  });
}

export type StrayNamesOptions = Pick<KeptSnapshotsOptions, 'transport'> & {
  readonly stateStore: Pick<StateStore, 'names'>;
  readonly stage: Pick<ClusterStage, 'name'>;
};

function isRestored(opened: ReturnType<ClusterStage['open']>, chunks: AsyncIterable<Buffer>): Promise<boolean> {
  return opened.restore(chunks).then(
    () => true,
    () => false,
  );
}
