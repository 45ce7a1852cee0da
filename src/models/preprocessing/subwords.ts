/** A text becomes the ids and weights of its hashed subwords. */
import { modelError } from '../../core/errors/model.ts';
import type { GraphManifest } from '../manifest.ts';
import { hashedSubwords } from './hashed-subwords.ts';
import { lengthBucket, type Preprocessor } from './preprocessor.ts';

export type SubwordsPreprocessing = Extract<GraphManifest['preprocessing'], { kind: 'hashed-subwords' }>;

export function createSubwordsPreprocessor(parameters: SubwordsPreprocessing, lengths: readonly number[]): Preprocessor {
  return {
    ports: [
      { name: 'ids', type: 'int64', itemDimensions: ['length'] },
      { name: 'weights', type: 'float32', itemDimensions: ['length'] },
    ],
    prepare: (input) => {
      if (input.kind !== 'text') throw modelError('LS_MODEL_INPUT', `this model reads a text, not ${input.kind}`);
      const { ids, weights } = hashedSubwords(input.text, parameters);
      if (ids.length === 0) throw modelError('LS_MODEL_INPUT', 'the field text holds no word: no letter and no digit', { field: 'text' });
      return { values: { ids: BigInt64Array.from(ids, BigInt), weights }, length: lengthBucket(ids.length, lengths), tokens: ids.length };
    },
  };
}
