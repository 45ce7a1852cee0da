/**
 * Executes a model once in every shape in which it may ever be executed, so that the first item of a shape does not wait for what onnxruntime
 * sets up then, and a shape that the graph cannot do is known before an item needs it.
 */
import { modelError } from '../core/errors/model.ts';
import type { Inference } from './inference.ts';
import { knownInputs } from './known-answers.ts';
import type { PreparedInput } from './preprocessing/preprocessor.ts';
import type { GraphArtefacts } from './repository.ts';

/** What a shape that cannot be executed fails with. NaN, say, is the known answers' to judge. */
const shapeFailures: ReadonlySet<string> = new Set(['LS_MODEL_RUN', 'LS_MODEL_OUTPUT']);

/** Rejects with LS_MODEL_LOAD, which names the shape. */
export async function warmUp(inference: Inference, artefacts: GraphArtefacts): Promise<void> {
  const { batchSizes, lengths = [0] } = artefacts.manifest.executedShapes;
  const items = (await inference.prepare(knownInputs(artefacts))).flatMap((item) => ('prepared' in item ? [item.prepared] : []));
  for (const length of lengths) {
    const item = longestWithin(items, length);
    for (const batchSize of batchSizes) {
      const outcome = await inference.executeShape(item, { batchSize, length });
      // Of padding alone, which is never asked for, nothing is to be learnt.
      if (item === undefined || outcome === undefined || !('failure' in outcome) || !shapeFailures.has(outcome.failure.code)) continue;
      const shape = length === 0 ? `a batch of ${batchSize}` : `a batch of ${batchSize} of the length ${length}`;
      const { directory, manifest } = artefacts;
      const message = `${manifest.model} in ${directory} cannot be executed in ${shape}, which its manifest lists: ${outcome.failure.message}`;
      throw modelError('LS_MODEL_LOAD', message, { directory, file: manifest.model, batchSize, length });
    }
  }
}

function longestWithin(items: readonly PreparedInput[], length: number): PreparedInput | undefined {
  return items.filter((item) => item.length <= length).reduce<PreparedInput | undefined>((longest, item) => (longest === undefined || item.length > longest.length ? item : longest), undefined);
}
