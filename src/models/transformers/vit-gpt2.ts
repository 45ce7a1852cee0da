/** ViT-GPT2 (`vision-encoder-decoder`): an encoder of images, and GPT-2 that looks at what it gives while it writes. */
import { z } from 'zod';
import type { CaptioningConfig } from '../../core/task-config.ts';
import type { OpenArchitecture } from './architecture-port.ts';
import { caption, imageQuestion } from './captioning.ts';
import { createCachedDecoder } from './generation/cached-decoder.ts';
import { float32Tensor, numbersOf, requirePorts } from './graph.ts';
import { createImageProcessor } from './image-processor.ts';
import { publishedFile } from './published-files.ts';
import { createTextTokenizer } from './text-tokenizer.ts';

const tokenId = z.int().min(0);

const config = z.looseObject({
  decoder_start_token_id: tokenId,
  eos_token_id: tokenId,
  decoder: z.looseObject({ n_positions: z.int().min(1).optional(), max_position_embeddings: z.int().min(1).optional() }),
});

export const openVitGpt2: OpenArchitecture = async ({ artefacts, resources, open }) => {
  const published = publishedFile(artefacts, 'config.json', config);
  const { n_positions: positions, max_position_embeddings: otherwise } = published.decoder;
  const processor = createImageProcessor(artefacts, resources.imageDecoding);
  const tokenizer = createTextTokenizer(artefacts);
  const encoder = await open('encoder');
  requirePorts(encoder, { inputs: ['pixel_values'], outputs: ['last_hidden_state'] }, artefacts.directory);
  const { decoderOf } = createCachedDecoder(await open('decoder'), positions ?? otherwise ?? 1024, artefacts.directory);
  const endIds = new Set([published.eos_token_id]);
  return async (input) => {
    const asked = imageQuestion(input);
    const prompt = [published.decoder_start_token_id, ...(asked.text === undefined ? [] : tokenizer.encodePlain(asked.text))];
    const { values, width, height } = await processor(asked);
    const settings: CaptioningConfig = { ...artefacts.manifest.defaults, ...asked.config };
    return async () => {
      const outputs = await encoder.run({ pixel_values: float32Tensor(values, [1, 3, height, width]) });
      const { data, dims } = numbersOf(outputs, 'last_hidden_state');
      return caption(decoderOf({ encoderStates: float32Tensor(data, dims) }), tokenizer, { prompt, endIds, config: settings });
    };
  };
};
