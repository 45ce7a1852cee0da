/**
 * What a loaded model takes of memory, as far as that can be told beforehand: onnxruntime does not say, and the growth of a process in which
 * other threads work belongs to nobody in particular. So it is an estimate, on the high side of what was measured with real models but for float16,
 * which the CPU computes as float32 (docs/operations.md has the figures):
 *
 *   once         the files, which all workers share, and which a replaced worker is loaded from
 *   per worker   1 x weights as they are stored, and 2 x as they are computed with, which is four times as large where integers are turned to float32:
 *                what onnxruntime reads, copies and arranges anew
 *              + 12 x the inputs of the largest executed shape, for what is computed on the way
 */
import { modelError } from '../core/errors/model.ts';
import type { GraphManifest } from './manifest.ts';
import type { GraphArtefacts, GraphFile, ModelArtefacts, TransformerArtefacts } from './repository.ts';

const weightCopies = 2;
const dequantisedGrowth = 4;
const inputCopies = 12;

export function estimatedMemoryBytes(artefacts: ModelArtefacts, workerCount: number): number {
  const shared = [...artefacts.files.values()].reduce((total, { length }) => total + length, 0);
  return shared + workerCount * bytesPerWorker(artefacts, shared);
}

function bytesPerWorker(artefacts: ModelArtefacts, fileBytes: number): number {
  switch (artefacts.kind) {
    case 'graph':
      return graphBytes(artefacts);
    case 'transformers':
      return transformerBytes(artefacts);
    // Nobody knows which of its files hold weights.
    case 'plugin':
      return (1 + weightCopies) * fileBytes;
  }
}

function graphBytes({ manifest, graph }: GraphArtefacts): number {
  const stored = storedBytes(graph);
  const weights = stored * (manifest.dequantise ? dequantisedGrowth : 1);
  return stored + weightCopies * weights + inputCopies * largestInputBytes(manifest);
}

/** Its items come alone, and are small beside its weights. */
function transformerBytes({ graphs }: TransformerArtefacts): number {
  return (1 + weightCopies) * [...graphs.values()].reduce((total, graph) => total + storedBytes(graph), 0);
}

function storedBytes({ bytes, externalData }: GraphFile): number {
  return externalData.reduce((total, data) => total + data.bytes.length, bytes.length);
}

/** Of one batch. */
function largestInputBytes({ preprocessing, executedShapes }: GraphManifest): number {
  const items = executedShapes.batchSizes.at(-1) ?? 1;
  const length = executedShapes.lengths?.at(-1) ?? 1;
  switch (preprocessing.kind) {
    case 'image':
      return items * 3 * preprocessing.width * preprocessing.height * 4;
    case 'values':
      return items * preprocessing.fields.length * 4;
    // int64 numbers of tokens, a mask or weights, and types.
    case 'hashed-subwords':
    case 'tokenizer':
      return items * length * 3 * 8;
  }
}

/** Throws LS_MODEL_MEMORY: no unloading would make room for it. */
export function requireFit(name: string, memoryBytes: number, memoryBytesMax: number | undefined): void {
  if (memoryBytesMax === undefined || memoryBytes <= memoryBytesMax) return;
  const message = `the model ${name} takes about ${memoryBytes} bytes in all workers; inference.memoryBytesMax is ${memoryBytesMax}`;
  throw modelError('LS_MODEL_MEMORY', message, { model: name, memoryBytes, memoryBytesMax });
}
