/** ViT-GPT2 (`vision-encoder-decoder`): an encoder of images, and GPT-2 that looks at what it gives while it writes. */
import { z } from 'zod';
import type { OpenArchitecture } from './architecture-port.ts';
import { openEncoderDecoder } from './encoder-decoder.ts';
import { publishedFile } from './published-files.ts';

const tokenId = z.int().min(0);

const configFile = z.looseObject({
  decoder_start_token_id: tokenId,
  eos_token_id: tokenId,
  decoder: z.looseObject({ n_positions: z.int().min(1).optional(), max_position_embeddings: z.int().min(1).optional() }),
});

export const openVitGpt2: OpenArchitecture = async (parts) => {
  const { decoder_start_token_id: startId, eos_token_id: endId, decoder } = publishedFile(parts.artefacts, 'config.json', configFile);
  return openEncoderDecoder(parts, { startId, endId, lengthMax: decoder.n_positions ?? decoder.max_position_embeddings ?? 1024 });
};
