/** BLIP: an encoder of images, and a decoder of texts that looks at what it gives while it writes. */
import { z } from 'zod';
import type { OpenArchitecture } from './architecture-port.ts';
import { openEncoderDecoder } from './encoder-decoder.ts';
import { publishedFile } from './published-files.ts';

const tokenId = z.int().min(0);

/** A text ends with the separator, whatever the configuration calls its end. The start is no token of the tokenizer. */
const configFile = z.looseObject({
  text_config: z.looseObject({ bos_token_id: tokenId.default(30_522), sep_token_id: tokenId.default(102), max_position_embeddings: z.int().min(2).default(512) }),
});

export const openBlip: OpenArchitecture = async (parts) => {
  const { text_config: text } = publishedFile(parts.artefacts, 'config.json', configFile);
  return openEncoderDecoder(parts, { startId: text.bos_token_id, endId: text.sep_token_id, lengthMax: text.max_position_embeddings });
};
