/**
 * BLIP-2: a querying transformer makes a few vectors of an image, which a language model reads in place of words, before the start of the text:
 *
 *   <image> <image> ... </s> Question : how many dogs are there ? Answer :
 *   └ image_features ┘  └────────── embedding of the tokens ───────────┘
 */
import { z } from 'zod';
import type { CaptioningConfig } from '../../core/task-config.ts';
import { modelError } from '../../core/errors/model.ts';
import type { OpenArchitecture } from './architecture-port.ts';
import { caption, imageQuestion } from './captioning.ts';
import { createCachedDecoder, type EmbedTokens } from './generation/cached-decoder.ts';
import { float32Tensor, int64Tensor, numbersOf, requirePorts, type Graph } from './graph.ts';
import { createImageProcessor } from './image-processor.ts';
import { optionalFile, publishedFile } from './published-files.ts';
import { createTextTokenizer } from './text-tokenizer.ts';

const tokenId = z.int().min(0);

const configFile = z.looseObject({
  image_token_index: tokenId,
  num_query_tokens: z.int().min(1).max(4096),
  text_config: z.looseObject({ bos_token_id: tokenId.optional(), eos_token_id: tokenId.optional(), max_position_embeddings: z.int().min(2).default(2048) }),
});
const generationFile = z.looseObject({ bos_token_id: tokenId.optional(), eos_token_id: z.union([tokenId, z.array(tokenId)]).optional() });

/** OPT's start, which its configuration leaves out. */
const startIdDefault = 2;

export const openBlip2: OpenArchitecture = async ({ artefacts, resources, open }) => {
  const { directory, manifest } = artefacts;
  const { image_token_index: placeHolder, num_query_tokens: queryCount, text_config: text } = publishedFile(artefacts, 'config.json', configFile);
  const generation = optionalFile(artefacts, 'generation_config.json', generationFile) ?? {};
  const endIds = new Set([generation.eos_token_id ?? text.eos_token_id ?? startIdDefault].flat());
  const startId = generation.bos_token_id ?? text.bos_token_id ?? startIdDefault;
  const processor = createImageProcessor(artefacts, resources.imageDecoding);
  const tokenizer = createTextTokenizer(artefacts);
  const vision = await open('vision');
  requirePorts(vision, { inputs: ['pixel_values'], outputs: ['image_features'] }, directory);
  const embedding = await open('embedding');
  requirePorts(embedding, { inputs: ['input_ids'], outputs: ['inputs_embeds'] }, directory);
  const { decoderOf } = createCachedDecoder(await open('decoder'), text.max_position_embeddings, directory);
  return async (input) => {
    const asked = imageQuestion(input);
    const words = asked.text === undefined ? [startId] : tokenizer.encode(asked.text);
    const prompt = [...Array.from({ length: queryCount }, () => placeHolder), ...words];
    const { values, width, height } = await processor(asked);
    const config: CaptioningConfig = { ...manifest.defaults, ...asked.config };
    return async () => {
      const features = numbersOf(await vision.run({ pixel_values: float32Tensor(values, [1, 3, height, width]) }), 'image_features').data;
      return caption(decoderOf({ embed: embedWith(embedding, features, prompt) }), tokenizer, { prompt, endIds, config });
    };
  };
};

/** The features of the image stand for the first tokens of the prompt. */
function embedWith(graph: Graph, features: Float32Array, prompt: readonly number[]): EmbedTokens {
  return async (tokens, rowCount) => {
    const { data, dims } = numbersOf(await graph.run({ input_ids: int64Tensor(tokens, [rowCount, tokens.length / rowCount]) }), 'inputs_embeds');
    if (tokens !== prompt) return float32Tensor(data, dims);
    if (features.length % (dims[2] ?? 1) !== 0 || features.length > data.length) {
      throw modelError('LS_MODEL_OUTPUT', `the image gives ${features.length} numbers for tokens of ${dims[2] ?? 0}`);
    }
    const embedded = Float32Array.from(data);
    embedded.set(features);
    return float32Tensor(embedded, dims);
  };
}
