/** What the view of labels tells of itself. */
import type { TopicPartition } from '../core/records.ts';

export type LabelViewObserver = {
  readonly applied: (topic: string, records: number) => void;
  /** Records to be read before everything is there that was when it was opened. */
  readonly remaining: (records: number) => void;
  /** Why it is made from the log again. */
  readonly rebuilding: (reason: string) => void;
  readonly built: () => void;
  /** Retention took records that were not read yet. */
  readonly incomplete: (place: TopicPartition, since: bigint) => void;
  /** A value that is no event of its topic. */
  readonly passedOver: (record: TopicPartition & { readonly sequence: bigint }, error: unknown) => void;
  /** It is tried again. */
  readonly failed: (error: unknown) => void;
};
