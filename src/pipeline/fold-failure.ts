import { pipelineError } from '../core/errors/pipeline.ts';
import type { ConsumedRecord } from '../core/records.ts';
import type { FoldRun } from './fold-run.ts';
import { describeError } from './partition-run.ts';

/** @param records the batch that the stage failed on, in preparing or in folding. */
export function foldFailed(run: FoldRun, records: readonly ConsumedRecord[], cause: unknown): Error {
  const { topic, partition } = run.context.partition;
  const sequence = records[0]?.sequence ?? run.foldedSequence;
  const lastSequence = records.at(-1)?.sequence ?? sequence;
  return pipelineError(
    'LS_PIPELINE_FOLD_FAILED',
    `Stage ${run.stage.name} failed on partition ${partition} of ${topic}, in records ${sequence} to ${lastSequence}: ${describeError(cause)}`,
    { stage: run.stage.name, topic, partition, sequence, lastSequence },
    { cause },
  );
}
