/**
 * The known-answer test of a manifest: every answer within its tolerance, in every executed batch size, and, of a model that claims to be
 * reproducible, the same bytes in all of them. It runs at every load: another build of onnxruntime or another kind of CPU shows here.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ItemOutcome } from './inference.ts';
import { batchSizesOf } from './manifest.ts';
import type { ModelAnswer, ModelInput } from './model-port.ts';
import type { ModelArtefacts } from './repository.ts';
import type { KnownOutput } from './transformers/transformer-manifest.ts';

/** Runs the inputs in batches of one size. */
export type RunInBatches = (inputs: readonly ModelInput[], batchSize: number) => Promise<readonly ItemOutcome[]>;

/** The inputs of the known answers, with the contents of the files that they name. */
export function knownInputs({ manifest, files }: ModelArtefacts): ModelInput[] {
  // A copy: what is in shared memory cannot be given to a native decoder.
  const bytesOf = (file: string): Uint8Array => Uint8Array.from(files.get(file) ?? []);
  if (manifest.kind === 'graph') {
    return manifest.knownAnswers.map(({ input }): ModelInput => {
      if (input.kind !== 'image') return input;
      const { file, contentType, config } = input;
      return { kind: 'image', bytes: bytesOf(file), contentType, ...(config === undefined ? {} : { config }) };
    });
  }
  return manifest.knownAnswers.map(({ input }): ModelInput => {
    if (!('file' in input)) return input;
    const { file, contentType } = input;
    const content = { bytes: bytesOf(file), contentType, config: input.config };
    if (input.kind === 'audio') return { kind: 'audio', ...content };
    const { text, classes } = input;
    return { kind: 'image', ...content, ...(text === undefined ? {} : { text }), ...(classes === undefined ? {} : { classes }) };
  });
}

/** One sentence for every mistake; none where the model is as it should be. */
export async function knownAnswerMistakes(artefacts: ModelArtefacts, run: RunInBatches): Promise<string[]> {
  const mistakes: string[] = [];
  const { manifest } = artefacts;
  const inputs = knownInputs(artefacts);
  let first: readonly ItemOutcome[] | undefined;
  const batchSizes = batchSizesOf(manifest);
  for (const batchSize of batchSizes) {
    const outcomes = await run(inputs, batchSize);
    first ??= outcomes;
    for (const [index, outcome] of outcomes.entries()) {
      const where = `known answer ${index} in a batch of ${batchSize}`;
      const mistake = mistakeOf(outcome, manifest.knownAnswers[index]);
      const reference = first[index];
      if (mistake !== undefined) mistakes.push(`${where}: ${mistake}`);
      else if (manifest.reproducible && reference !== undefined && !sameOutcome(outcome, reference)) {
        mistakes.push(`${where}: other bytes than in a batch of ${batchSizes[0]}`);
      }
    }
  }
  return mistakes;
}

type KnownAnswer = { readonly output: readonly number[] | KnownOutput; readonly tolerance: number };

function mistakeOf(outcome: ItemOutcome, answer: KnownAnswer | undefined): string | undefined {
  if ('failure' in outcome) return `${outcome.failure.code}: ${outcome.failure.message}`;
  if (answer === undefined) return 'no known answer';
  const { output, tolerance } = answer;
  if ('answer' in outcome) return 'kind' in output ? mistakeOfAnswer(outcome.answer, output, tolerance) : 'no row of numbers';
  return 'kind' in output ? `no ${output.kind}` : mistakeOfNumbers('number', outcome.output, output, tolerance);
}

function mistakeOfNumbers(what: string, found: ArrayLike<number>, expected: readonly number[], tolerance: number): string | undefined {
  if (found.length !== expected.length) return `${found.length} ${what}s instead of ${expected.length}`;
  for (const [index, value] of expected.entries()) {
    const given = found[index] ?? Number.NaN;
    // Written so that NaN is a mistake.
    if (!(Math.abs(given - value) <= tolerance)) return `${what} ${index} is ${given}, expected ${value} within ${tolerance}`;
  }
  return undefined;
}

/** Corners are cut off to whole pixels, so that the least difference of what they come of may move one by a pixel. */
const cornerTolerance = 1;

function mistakeOfAnswer(found: ModelAnswer, expected: KnownOutput, tolerance: number): string | undefined {
  const unequal = (what: string, left: unknown, right: unknown): string | undefined =>
    isDeepStrictEqual(left, right) ? undefined : `the ${what} ${JSON.stringify(left)} instead of ${JSON.stringify(right)}`;
  if (expected.kind === 'caption' && found.kind === 'caption') return unequal('text', found.text, expected.text);
  if (expected.kind === 'zero-shot' && found.kind === 'zero-shot') return mistakeOfNumbers('probability', found.probabilities, expected.probabilities, tolerance);
  if (expected.kind === 'transcript' && found.kind === 'transcript') {
    const times = (segments: (typeof found)['segments']): number[] => segments.flatMap(({ startSeconds, endSeconds }) => [startSeconds, endSeconds]);
    const texts = (segments: (typeof found)['segments']): string[] => segments.map(({ text }) => text);
    return (
      unequal('text', found.text, expected.text) ??
      unequal('texts of the segments', texts(found.segments), texts(expected.segments)) ??
      mistakeOfNumbers('time', times(found.segments), times(expected.segments), tolerance)
    );
  }
  if (expected.kind === 'detections' && found.kind === 'detections') {
    return (
      unequal('labels', found.labels, expected.labels) ??
      mistakeOfNumbers('score', found.scores, expected.scores, tolerance) ??
      mistakeOfNumbers('corner', found.boxes.flat(), expected.boxes.flat(), cornerTolerance)
    );
  }
  return `a ${found.kind} instead of a ${expected.kind}`;
}

/** Equal to the last bit, or failed with one code. */
export function sameOutcome(left: ItemOutcome, right: ItemOutcome): boolean {
  if ('failure' in left || 'failure' in right) return 'failure' in left && 'failure' in right && left.failure.code === right.failure.code;
  if ('answer' in left || 'answer' in right) return 'answer' in left && 'answer' in right && isDeepStrictEqual(left.answer, right.answer);
  return Buffer.compare(bytesOf(left.output), bytesOf(right.output)) === 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
