/** Cutting what a fold gave into deliveries. */
import { recordBytes, type ConsumedRecord, type OutputRecord } from '../core/records.ts';
import type { Checkpoint, ReadBudget } from './transport.ts';

export type Folded = {
  readonly record: ConsumedRecord;
  readonly outputs: readonly OutputRecord[];
  /** How many of the outputs are out already. */
  readonly sent: number;
};

export type FoldDelivery = {
  readonly outputs: readonly OutputRecord[];
  /** Of the outputs. */
  readonly bytes: number;
  readonly checkpoint: Checkpoint;
  /** Records that are complete with it. */
  readonly inputs: number;
};

/** Of the outputs that are not out. */
export function unsentBytes({ outputs, sent }: Folded): number {
  let bytes = 0;
  for (let index = sent; index < outputs.length; index += 1) {
    const output = outputs[index];
    if (output !== undefined) bytes += recordBytes(output);
  }
  return bytes;
}

/**
 * In order, each at most the budget (a first output goes whatever its size). One record's outputs may span several: the checkpoint of all but
 * its last counts those that are out (SEMANTICS.md, rule 18). The last delivery completes the last record, with or without outputs.
 *
 * @param standing what is committed before the first.
 */
export function* cutDeliveries(folded: readonly Folded[], standing: Checkpoint, budget: ReadBudget): Generator<FoldDelivery> {
  let outputs: OutputRecord[] = [];
  let bytes = 0;
  let inputs = 0;
  let complete: Checkpoint = { ...standing, outputsSent: 0 };
  for (const { record, outputs: all, sent } of folded) {
    for (let index = sent; index < all.length; index += 1) {
      const output = all[index];
      if (output === undefined) continue;
      const outputBytes = recordBytes(output);
      if (outputs.length > 0 && (outputs.length >= budget.records || bytes + outputBytes > budget.bytes)) {
        yield { outputs, bytes, checkpoint: { ...complete, outputsSent: index }, inputs };
        outputs = [];
        bytes = 0;
        inputs = 0;
      }
      outputs.push(output);
      bytes += outputBytes;
    }
    complete = { position: record.nextPosition, sequence: record.sequence, outputsSent: 0 };
    inputs += 1;
  }
  if (folded.length > 0) yield { outputs, bytes, checkpoint: complete, inputs };
}
