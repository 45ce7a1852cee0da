/** Which definitions the features log holds now: those of the newest snapshot's first chunk, then those of the control records after it. */
import type { Codec } from '../../codec/codec.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { topics } from '../../core/topics.ts';
import type { StateStore } from '../../pipeline/state-store.ts';
import type { ReadBudget, Transport } from '../../pipeline/transport.ts';
import { withControl, type Definitions } from './definitions-proposal.ts';
import { clusterStageName } from './fold-record.ts';
import { readSnapshotDefinitions } from './snapshot.ts';

export type DefinitionsInLogOptions = {
  readonly transport: Pick<Transport, 'describeTopic' | 'bounds' | 'read'>;
  readonly stateStore: Pick<StateStore, 'newest'>;
  readonly codec: Pick<Codec, 'peekSchema' | 'decodeAs'>;
};

const budget: ReadBudget = { records: 2000, bytes: 16 * 1024 * 1024 };

/** Rejects with the transport's errors, or the signal's reason. */
export async function definitionsInLog(options: DefinitionsInLogOptions, signal: AbortSignal): Promise<Definitions> {
  const { incarnation, partitionCount } = await options.transport.describeTopic(topics.features);
  let known: Definitions = new Map();
  for (let partition = 0; partition < partitionCount; partition++) {
    // A family lives in one partition: what one partition says of it does not touch another's.
    known = new Map([...known, ...(await definitionsInPartition(options, { partition, incarnation }, signal))]);
  }
  return known;
}

async function definitionsInPartition(
  { transport, stateStore, codec }: DefinitionsInLogOptions,
  { partition, incarnation }: { readonly partition: number; readonly incarnation: string },
  signal: AbortSignal,
): Promise<Definitions> {
  const features = { topic: topics.features, partition };
  const { start, end } = await transport.bounds(features);
  const snapshot = await stateStore.newest({ ...features, stage: clusterStageName, incarnation }, end.sequence - 1n);
  let known: Definitions = new Map();
  for await (const chunk of snapshot?.chunks() ?? []) {
    known = readSnapshotDefinitions(chunk);
    break;
  }
  let sequence = snapshot?.header.sequence ?? start.sequence - 1n;
  let position = snapshot?.header.position;
  while (position !== end.position && sequence < end.sequence - 1n) {
    const records = await transport.read(features, position, budget, signal);
    signal.throwIfAborted();
    for (const record of records) {
      if (codec.peekSchema(record.value) === 'ControlEvent') known = withValue(known, codec, record.value);
    }
    sequence = records.at(-1)?.sequence ?? sequence;
    position = records.at(-1)?.nextPosition ?? position;
  }
  return known;
}

/** What cannot be decoded defines nothing: the fold makes a dead letter of it. */
function withValue(known: Definitions, codec: Pick<Codec, 'decodeAs'>, value: Buffer): Definitions {
  try {
    return withControl(known, codec.decodeAs('ControlEvent', value));
  } catch (error) {
    if (error instanceof LabelstreamError && error.description.cause === 'input') return known;
    throw error;
  }
}
