/** What operators say to CLUSTER goes into features like everything else, and features may be replaced meanwhile (SEMANTICS.md, rule 11). */
import type { OutputRecord, TopicPartition } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import type { StateStore } from '../../pipeline/state-store.ts';
import type { Transport } from '../../pipeline/transport.ts';
import { repartitionPending, requireNoPlan } from './repartition-plan.ts';

export type ControlsDestination = {
  readonly transport: Pick<Transport, 'append' | 'describeTopic'>;
  readonly stateStore: Pick<StateStore, 'list'>;
  /** Of CLUSTER. */
  readonly group: string;
};

/**
 * @param recordsFor what is to be said where features has that many partitions: those of the topic, which need not be those of a configuration.
 *
 * Tells where it was said. Rejects with LS_STATE_REPARTITION_PENDING where a repartition went on meanwhile: it may have seen the end of features without these records, and
 * removed them with the topic. Then it has noted its plan before they were appended, or is over. To say them once more is harmless.
 */
export async function appendControls({ transport, stateStore, group }: ControlsDestination, recordsFor: (partitionCount: number) => readonly OutputRecord[]): Promise<readonly TopicPartition[]> {
  const { incarnation, partitionCount } = await transport.describeTopic(topics.features);
  const requireSame = async (): Promise<void> => {
    await requireNoPlan(stateStore, group);
    if ((await transport.describeTopic(topics.features)).incarnation !== incarnation) throw repartitionPending();
  };
  const records = recordsFor(partitionCount);
  try {
    await transport.append(records);
  } catch (error) {
    // The topic may have fewer partitions than a moment ago, or not be there.
    await requireSame();
    throw error;
  }
  await requireSame();
  return [...new Set(records.map(({ partition }) => partition))].map((partition) => ({ topic: topics.features, partition }));
}
