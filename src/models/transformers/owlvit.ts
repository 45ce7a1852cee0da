/** OWL-ViT: finds on an image whatever classes it is given. A place may be found as several of them. */
import { z } from 'zod';
import type { DetectionConfig } from '../../core/task-config.ts';
import { modelError } from '../../core/errors/model.ts';
import type { OpenArchitecture } from './architecture-port.ts';
import { detectionsOf, type Candidate } from './detections.ts';
import { float32Tensor, int64Tensor, numbersOf, requirePorts, type Feeds } from './graph.ts';
import { createImageProcessor } from './image-processor.ts';
import { publishedFile } from './published-files.ts';
import { createTextTokenizer } from './text-tokenizer.ts';

const configFile = z.looseObject({ text_config: z.looseObject({ max_position_embeddings: z.int().min(2).optional(), pad_token_id: z.int().min(0).optional() }).default({}) });

/** As published models have it, whatever a directory does not say. */
const lengthMaxDefault = 16;
const thresholdDefault = 0.1;

export const openOwlVit: OpenArchitecture = async ({ artefacts, resources, open }) => {
  const { text_config: text } = publishedFile(artefacts, 'config.json', configFile);
  const lengthMax = text.max_position_embeddings ?? lengthMaxDefault;
  const padding = text.pad_token_id ?? 0;
  const processor = createImageProcessor(artefacts, resources.imageDecoding);
  const tokenizer = createTextTokenizer(artefacts);
  const graph = await open('model');
  requirePorts(graph, { inputs: ['input_ids', 'attention_mask', 'pixel_values'], outputs: ['logits', 'pred_boxes'] }, artefacts.directory);
  return async (input) => {
    if (input.kind !== 'image') throw modelError('LS_MODEL_INPUT', `this model reads images, not ${input.kind}`);
    if (input.text !== undefined) throw modelError('LS_MODEL_REQUEST', 'this model writes no text and takes none to begin with');
    const { classes = [], config = {} } = input;
    if (classes.length === 0) throw modelError('LS_MODEL_REQUEST', 'this model looks for classes that it has to be given');
    const limits: DetectionConfig = { ...artefacts.manifest.defaults, ...config };
    const texts = classes.map((name) => shortened(tokenizer.encode(name), lengthMax));
    const { values, width, height, original } = await processor(input);
    return async () => {
      const outputs = await graph.run({ ...textFeeds(texts, padding), pixel_values: float32Tensor(values, [1, 3, height, width]) });
      return detectionsOf(candidatesOf(outputs, classes), { ...limits, threshold: limits.threshold ?? thresholdDefault }, original);
    };
  };
};

function shortened(ids: readonly number[], lengthMax: number): readonly number[] {
  return ids.length <= lengthMax ? ids : [...ids.slice(0, lengthMax - 1), ids.at(-1) ?? 0];
}

/** All classes at once, filled up to the longest. */
function textFeeds(texts: readonly (readonly number[])[], padding: number): Feeds {
  const length = Math.max(...texts.map((ids) => ids.length));
  const dims = [texts.length, length];
  const filled = (ids: readonly number[], filling: number): number[] => [...ids, ...Array.from({ length: length - ids.length }, () => filling)];
  return {
    input_ids: int64Tensor(texts.flatMap((ids) => filled(ids, padding)), dims),
    attention_mask: int64Tensor(texts.flatMap((ids) => filled(ids.map(() => 1), 0)), dims),
  };
}

function candidatesOf(outputs: Feeds, classes: readonly string[]): Candidate[] {
  const logits = numbersOf(outputs, 'logits');
  const boxes = numbersOf(outputs, 'pred_boxes').data;
  const places = boxes.length / 4;
  if (logits.data.length !== places * classes.length) {
    throw modelError('LS_MODEL_OUTPUT', `the logits are [${logits.dims.join(', ')}], not ${places} places of ${classes.length} classes`);
  }
  return Array.from({ length: places }, (_, place) =>
    classes.map((label, index): Candidate => {
      const score = 1 / (1 + Math.exp(-(logits.data[place * classes.length + index] ?? 0)));
      return { label, score, box: boxAt(boxes, place) };
    }),
  ).flat();
}

function boxAt(boxes: Float32Array, place: number): Candidate['box'] {
  return [boxes[4 * place] ?? 0, boxes[4 * place + 1] ?? 0, boxes[4 * place + 2] ?? 0, boxes[4 * place + 3] ?? 0];
}
