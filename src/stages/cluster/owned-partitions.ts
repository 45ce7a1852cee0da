/** The partitions of features whose records this process folds, as its runner opens, restores and gives them up. */
import type { TopicPartition } from '../../core/records.ts';
import { silentObserver, type RunnerObserver } from '../../pipeline/observe.ts';
import type { ClusterPartition, ClusterStage } from './cluster-stage.ts';
import type { OwnedPartitions, StandingPartition } from './live-clusters.ts';

export type TrackedPartitions = OwnedPartitions & {
  /** For the runner. */
  readonly stage: ClusterStage;
  readonly observer: RunnerObserver;
  /** Those that this process has, standing or not. */
  readonly current: ReadonlyMap<number, ClusterPartition>;
  readonly isRestoring: () => boolean;
};

/** @param changed is told of what is opened, restored, folded and given up. */
export function trackPartitions(stage: ClusterStage, changed: () => void): TrackedPartitions {
  /** As it was opened last: a runner that gets a partition back may go on with the state that it has kept. */
  const opened = new Map<number, ClusterPartition>();
  const current = new Map<number, ClusterPartition>();
  const standing = new Map<number, StandingPartition>();
  let watching = (): void => undefined;
  const tell = (): void => {
    changed();
    watching();
  };
  const open: ClusterStage['open'] = (partition) => {
    const folded = stage.open(partition);
    const fold: ClusterPartition['fold'] = async (records, stopping) => {
      const outputs = await folded.fold(records, stopping);
      watching();
      return outputs;
    };
    const close = async (): Promise<void> => {
      if (opened.get(partition.partition) === tracked) opened.delete(partition.partition);
      await folded.close();
    };
    const tracked: ClusterPartition = { ...folded, fold, close };
    opened.set(partition.partition, tracked);
    current.set(partition.partition, tracked);
    return tracked;
  };
  const restored: RunnerObserver['restored'] = ({ partition }, { snapshotSequence }) => {
    const folded = opened.get(partition);
    if (folded === undefined) return;
    current.set(partition, folded);
    standing.set(partition, { folded, sequence: () => folded.foldedSequence() ?? snapshotSequence });
    tell();
  };
  const ended = ({ partition }: TopicPartition): void => {
    current.delete(partition);
    standing.delete(partition);
    tell();
  };
  return {
    stage: { ...stage, open },
    observer: { ...silentObserver, restored, ended },
    current,
    isRestoring: () => current.size > standing.size,
    find: (partition) => standing.get(partition) ?? (current.has(partition) ? 'restoring' : undefined),
    watch: (listener) => {
      watching = listener;
    },
  };
}
