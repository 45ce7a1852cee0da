/** What captioning models with an encoder of images share, whose decoder looks at what that gives while it writes; they differ in where their files say so. */
import type { CaptioningConfig } from '../../core/task-config.ts';
import type { ArchitectureParts, Prepare } from './architecture-port.ts';
import { caption, imageQuestion } from './captioning.ts';
import { createCachedDecoder } from './generation/cached-decoder.ts';
import { float32Tensor, numbersOf, requirePorts } from './graph.ts';
import { createImageProcessor } from './image-processor.ts';
import { createTextTokenizer } from './text-tokenizer.ts';

/** `lengthMax`: tokens of a text, its start and prefix among them. */
export type WritingTerms = { readonly startId: number; readonly endId: number; readonly lengthMax: number };

export async function openEncoderDecoder({ artefacts, resources, open }: ArchitectureParts, { startId, endId, lengthMax }: WritingTerms): Promise<Prepare> {
  const processor = createImageProcessor(artefacts, resources.imageDecoding);
  const tokenizer = createTextTokenizer(artefacts);
  const encoder = await open('encoder');
  requirePorts(encoder, { inputs: ['pixel_values'], outputs: ['last_hidden_state'] }, artefacts.directory);
  const { decoderOf } = createCachedDecoder(await open('decoder'), lengthMax, artefacts.directory);
  const endIds = new Set([endId]);
  return async (input) => {
    const asked = imageQuestion(input);
    const prompt = [startId, ...(asked.text === undefined ? [] : tokenizer.encodePlain(asked.text))];
    const { values, width, height } = await processor(asked);
    const config: CaptioningConfig = { ...artefacts.manifest.defaults, ...asked.config };
    return async () => {
      const { data, dims } = numbersOf(await encoder.run({ pixel_values: float32Tensor(values, [1, 3, height, width]) }), 'last_hidden_state');
      return caption(decoderOf({ encoderStates: float32Tensor(data, dims) }), tokenizer, { prompt, endIds, config });
    };
  };
}
