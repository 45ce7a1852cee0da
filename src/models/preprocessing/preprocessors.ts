/** Every kind of preprocessing by its name. */
import { createBudget } from '../../core/budget.ts';
import type { ModelInput } from '../model-port.ts';
import type { GraphArtefacts } from '../repository.ts';
import type { GraphManifest } from '../manifest.ts';
import { hashedSubwords } from './hashed-subwords.ts';
import { createImagePreprocessor } from './image.ts';
import type { ImageDecoding } from './image/decode-in-turn.ts';
import { lengthBucket, type Preprocessor } from './preprocessor.ts';
import { createSubwordsPreprocessor } from './subwords.ts';
import { createTokenizerPreprocessor, estimatedTokens } from './tokenizer.ts';
import { createValuesPreprocessor } from './values.ts';

/** What is not the model's to say but the program's. */
export type PreprocessorSettings = {
  /** Images with more pixels are refused; by default 50 million. */
  readonly imagePixelsMax?: number | undefined;
};

/** 50 megapixels: above what most phones take. */
const imagePixelsMaxDefault = 50_000_000;

/** What the preprocessors of all models of a thread share. */
export type PreprocessorResources = { readonly imageDecoding: ImageDecoding };

export function createPreprocessorResources({ imagePixelsMax = imagePixelsMaxDefault }: PreprocessorSettings = {}): PreprocessorResources {
  return { imageDecoding: { imagePixelsMax, budget: createBudget(imagePixelsMax) } };
}

/** Throws LS_MODEL_LOAD where a file that the preprocessing needs is not what it should be. */
export function createPreprocessor(artefacts: GraphArtefacts, { imageDecoding } = createPreprocessorResources()): Preprocessor {
  const { preprocessing, executedShapes } = artefacts.manifest;
  switch (preprocessing.kind) {
    case 'hashed-subwords':
      return createSubwordsPreprocessor(preprocessing, executedShapes.lengths ?? []);
    case 'values':
      return createValuesPreprocessor(preprocessing);
    case 'tokenizer':
      return createTokenizerPreprocessor(preprocessing, executedShapes.lengths ?? [], artefacts);
    case 'image':
      return createImagePreprocessor(preprocessing, imageDecoding);
  }
}

/**
 * Guesses the bucket of an item without splitting it, so that the queue can put likely neighbours together; the worker decides the real
 * one. The ratio is measured on the texts of the known answers.
 */
export function lengthEstimator(manifest: GraphManifest): (input: ModelInput) => number {
  const { preprocessing, executedShapes, knownAnswers } = manifest;
  if (preprocessing.kind === 'tokenizer') {
    return (input) => (input.kind === 'text' ? lengthBucket(estimatedTokens(input.text), executedShapes.lengths ?? []) : 0);
  }
  if (preprocessing.kind !== 'hashed-subwords') return () => 0;
  let characters = 0;
  let ids = 0;
  for (const { input } of knownAnswers) {
    if (input.kind !== 'text') continue;
    characters += input.text.length;
    ids += hashedSubwords(input.text, preprocessing).ids.length;
  }
  const idsPerCharacter = characters === 0 ? 1 : ids / characters;
  return (input) => (input.kind === 'text' ? lengthBucket(Math.ceil(input.text.length * idsPerCharacter), executedShapes.lengths ?? []) : 0);
}
