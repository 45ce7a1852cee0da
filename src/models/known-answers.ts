/**
 * The known-answer test of a manifest: every answer within its tolerance, in every executed batch size, and, of a model that claims to be
 * reproducible, the same bytes in all of them. It runs at every load: another build of onnxruntime or another kind of CPU shows here.
 */
import type { ItemOutcome } from './inference.ts';
import type { Manifest } from './manifest.ts';
import type { ModelInput } from './model-port.ts';
import type { ModelArtefacts } from './repository.ts';

/** Runs the inputs in batches of one size. */
export type RunInBatches = (inputs: readonly ModelInput[], batchSize: number) => Promise<readonly ItemOutcome[]>;

/** The inputs of the known answers, with the contents of the files that they name. */
export function knownInputs({ manifest, files }: ModelArtefacts): ModelInput[] {
  return manifest.knownAnswers.map(({ input }): ModelInput => {
    if (input.kind !== 'image') return input;
    // A copy: what is in shared memory cannot be given to a native decoder.
    return { kind: 'image', bytes: Uint8Array.from(files.get(input.file) ?? []), contentType: input.contentType };
  });
}

/** One sentence for every mistake; none where the model is as it should be. */
export async function knownAnswerMistakes(artefacts: ModelArtefacts, run: RunInBatches): Promise<string[]> {
  const mistakes: string[] = [];
  const { manifest } = artefacts;
  const inputs = knownInputs(artefacts);
  let first: readonly ItemOutcome[] | undefined;
  for (const batchSize of manifest.executedShapes.batchSizes) {
    const outcomes = await run(inputs, batchSize);
    first ??= outcomes;
    for (const [index, outcome] of outcomes.entries()) {
      const where = `known answer ${index} in a batch of ${batchSize}`;
      const mistake = mistakeOf(outcome, manifest.knownAnswers[index]);
      const reference = first[index];
      if (mistake !== undefined) mistakes.push(`${where}: ${mistake}`);
      else if (manifest.reproducible && reference !== undefined && !sameOutcome(outcome, reference)) {
        mistakes.push(`${where}: other bytes than in a batch of ${manifest.executedShapes.batchSizes[0] ?? 0}`);
      }
    }
  }
  return mistakes;
}

function mistakeOf(outcome: ItemOutcome, answer: Manifest['knownAnswers'][number] | undefined): string | undefined {
  if ('failure' in outcome) return `${outcome.failure.code}: ${outcome.failure.message}`;
  if (answer?.output.length !== outcome.output.length) return `${outcome.output.length} numbers instead of ${answer?.output.length ?? 0}`;
  for (const [index, expected] of answer.output.entries()) {
    const found = outcome.output[index] ?? Number.NaN;
    // Written so that NaN is a mistake.
    if (!(Math.abs(found - expected) <= answer.tolerance)) {
      return `number ${index} is ${found}, expected ${expected} within ${answer.tolerance}`;
    }
  }
  return undefined;
}

/** Equal to the last bit, or failed with one code. */
export function sameOutcome(left: ItemOutcome, right: ItemOutcome): boolean {
  if ('failure' in left || 'failure' in right) return 'failure' in left && 'failure' in right && left.failure.code === right.failure.code;
  return Buffer.compare(bytesOf(left.output), bytesOf(right.output)) === 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
