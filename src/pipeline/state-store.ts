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

/**
 * What is handed out of one is what was written, but whether the rest of it is shows only at its end. The chunks can be read once; each is gone when
 * the next is asked for: its memory may be used again.
 */
export type StoredSnapshot = { readonly header: SnapshotHeader; readonly chunks: AsyncIterable<Buffer> };

/** What it makes of a snapshot counts once all of that has been read. */
export type ReadSnapshot<Result> = (snapshot: StoredSnapshot) => Promise<Result>;

export type SnapshotKey = Pick<SnapshotHeader, 'stage' | 'topic' | 'incarnation' | 'partition'>;

export type StateStore = {
  /** Durable when it resolves. Yields to the event loop between chunks. Removes all but the newest three of its partition. */
  readonly write: (header: SnapshotHeader, chunks: Iterable<Buffer>) => Promise<void>;
  /**
   * What `read` makes of the newest snapshot at or below `sequence` whose checksums hold; rejects with what it rejects with. It is read once, and may
   * turn out corrupt on the way: its chunks then end with an error, and whatever `read` has made of it is dropped. It is passed over, and `read` called with the one before.
   * @param read what it leaves unread is checked before its result, or its error, counts. What it has to let go of where a snapshot is corrupt
   *   it makes only once it has read all chunks, or lets go of it when they end with an error.
   * @param passedOver told of each corrupt one, with LS_STATE_SNAPSHOT_CORRUPT; absent: the log is.
   * @returns undefined where there is none.
   */
  readonly readNewest: <Result>(key: SnapshotKey, sequence: bigint, read: ReadSnapshot<Result>, passedOver?: (error: Error) => void) => Promise<Result | undefined>;
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
