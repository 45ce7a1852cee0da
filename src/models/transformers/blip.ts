/** BLIP: an encoder of images, and a decoder of texts that looks at what it gives while it writes. */
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

/** A text ends with the separator, whatever the configuration calls its end. The start is no token of the tokenizer. */
const configFile = z.looseObject({
  text_config: z.looseObject({ bos_token_id: tokenId.default(30_522), sep_token_id: tokenId.default(102), max_position_embeddings: z.int().min(2).default(512) }),
});

export const openBlip: OpenArchitecture = async ({ artefacts, resources, open }) => {
  const { text_config: text } = publishedFile(artefacts, 'config.json', configFile);
  const processor = createImageProcessor(artefacts, resources.imageDecoding);
  const tokenizer = createTextTokenizer(artefacts);
  const encoder = await open('encoder');
  requirePorts(encoder, { inputs: ['pixel_values'], outputs: ['last_hidden_state'] }, artefacts.directory);
  const { decoderOf } = createCachedDecoder(await open('decoder'), text.max_position_embeddings, artefacts.directory);
  const endIds = new Set([text.sep_token_id]);
  return async (input) => {
    const asked = imageQuestion(input);
    const prompt = [text.bos_token_id, ...(asked.text === undefined ? [] : tokenizer.encodePlain(asked.text))];
    const { values, width, height } = await processor(asked);
    const config: CaptioningConfig = { ...artefacts.manifest.defaults, ...asked.config };
    return async () => {
      const { data, dims } = numbersOf(await encoder.run({ pixel_values: float32Tensor(values, [1, 3, height, width]) }), 'last_hidden_state');
      return caption(decoderOf({ encoderStates: float32Tensor(data, dims) }), tokenizer, { prompt, endIds, config });
    };
  };
};
