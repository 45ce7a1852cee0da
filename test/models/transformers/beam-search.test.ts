// Beams are followed as in Python: the same tokens, in the same order, with the same scores, of all texts that are returned.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPreprocessorResources } from '../../../src/models/preprocessing/preprocessors.ts';
import { beamSearch } from '../../../src/models/transformers/generation/beam-search.ts';
import { createCachedDecoder, type CachedDecoderGraph } from '../../../src/models/transformers/generation/cached-decoder.ts';
import { float32Tensor, openGraph, type Graph } from '../../../src/models/transformers/graph.ts';
import { createImageProcessor, type ImageProcessor } from '../../../src/models/transformers/image-processor.ts';
import { golden, readInput, tinyArtefacts, type CaptionGolden, type TinyName } from './tiny-models.ts';

describe.each<TinyName>(['vit-gpt2', 'blip'])('%s', async (name) => {
  const { images, cases, endId } = await golden<CaptionGolden>(name);
  let graphs: readonly [Graph, Graph];
  let decoder: CachedDecoderGraph;
  let processor: ImageProcessor;
  beforeAll(async () => {
    const artefacts = await tinyArtefacts(name);
    const settings = { executionProviders: [{ name: 'cpu' }], executed: () => undefined };
    graphs = [await openGraph(artefacts, 'encoder', settings), await openGraph(artefacts, 'decoder', settings)];
    decoder = createCachedDecoder(graphs[1], 64, artefacts.directory);
    processor = createImageProcessor(artefacts, createPreprocessorResources().imageDecoding);
  });
  afterAll(async () => {
    for (const graph of graphs) await graph.release();
  });

  test.each(cases.filter(({ scores }) => scores !== null))('$name, prefix $prefix', async ({ parameters, startIds, sequences, scores }) => {
    const { num_beams: beamCount, max_new_tokens: newTokensMax, length_penalty: lengthPenalty = 1, early_stopping: earlyStopping = false, num_return_sequences: returned = 1 } = parameters;
    for (const [index, image] of images.entries()) {
      const { values, width, height } = await processor({ kind: 'image', bytes: await readInput(image), contentType: 'image/png' });
      const { last_hidden_state: encoderStates } = await graphs[0].run({ pixel_values: float32Tensor(values, [1, 3, height, width]) });
      const found = await beamSearch(decoder.decoderOf({ encoderStates: encoderStates! }), startIds, { newTokensMax, endIds: new Set([endId]), beamCount, lengthPenalty, earlyStopping });
      for (let rank = 0; rank < returned; rank += 1) {
        const place = index * returned + rank;
        const { tokens, score } = found[rank]!;
        // Behind the end there is padding.
        expect(tokens, image).toEqual(sequences[place]!.slice(startIds.length, startIds.length + tokens.length));
        expect(tokens.at(-1) === endId || tokens.length === newTokensMax, image).toBe(true);
        expect(Math.abs(score / scores![place]! - 1), image).toBeLessThan(1e-4);
      }
    }
  });
});
