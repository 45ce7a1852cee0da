/**
 * Where snapshots live. A snapshot is never overwritten; its name contains the sequence it stands at; the newest three are kept
 * (SEMANTICS.md, rule 17). Beside them, under a stage name of their own, lie the marks of groups that started (start-marker.ts).
 */
export type SnapshotHeader = {
  readonly stage: string;
  readonly topic: string;
  readonly incarnation: string;
  readonly partition: number;
  /** The sequence of the last record folded into it. */
  readonly sequence: bigint;
  /** Where to go on reading. */
  readonly position: string;
};

/** A chunk is gone when the next is asked for: its memory may be used again. */
export type StoredSnapshot = { readonly header: SnapshotHeader; readonly chunks: () => AsyncIterable<Buffer> };

export type SnapshotKey = Pick<SnapshotHeader, 'stage' | 'topic' | 'incarnation' | 'partition'>;

export type StateStore = {
  /** Durable when it resolves. Yields to the event loop between chunks. Removes all but the newest three of its partition. */
  readonly write: (header: SnapshotHeader, chunks: Iterable<Buffer>) => Promise<void>;
  /**
   * The newest snapshot at or below `sequence` whose checksum holds; a corrupt one is passed over.
   * @param passedOver told of each of those, with LS_STATE_SNAPSHOT_CORRUPT; absent: the log is.
   */
  readonly newest: (key: SnapshotKey, sequence: bigint, passedOver?: (error: Error) => void) => Promise<StoredSnapshot | undefined>;
  /**
   * The sequences of the snapshots that are there, valid or not, newest first.
   * @param signal ends what it waits for: it then rejects.
   */
  readonly list: (key: SnapshotKey, signal?: AbortSignal) => Promise<readonly bigint[]>;
  /**
   * Everything that the store holds of a stage, whether it is a snapshot that a restore would read or not: of all lives of all topics, and what a
   * crash left. Below the store's directory or prefix.
   */
  readonly names: (stage: string) => Promise<readonly string[]>;
  /**
   * Removes the snapshots above `sequence`, valid or not, and resolves with their sequences once they are gone for good. For the owner of the
   * partition alone. Rejects with LS_STATE_DISCARD_FAILED.
   */
  readonly discardAbove: (key: SnapshotKey, sequence: bigint) => Promise<readonly bigint[]>;
};
