/** DETR: finds on an image what it has learnt; each of its queries is one thing, or nothing. */
import { z } from 'zod';
import type { DetectionConfig } from '../../core/task-config.ts';
import { modelError } from '../../core/errors/model.ts';
import type { OpenArchitecture } from './architecture-port.ts';
import { detectionsOf, type Candidate } from './detections.ts';
import { float32Tensor, numbersOf, onesTensor, requirePorts, type Feeds } from './graph.ts';
import { createImageProcessor } from './image-processor.ts';
import { publishedFile } from './published-files.ts';

const configFile = z.looseObject({ id2label: z.record(z.string().regex(/^\d+$/), z.string()) });
const thresholdDefault = 0.5;

export const openDetr: OpenArchitecture = async ({ artefacts, resources, open }) => {
  const { id2label } = publishedFile(artefacts, 'config.json', configFile);
  const processor = createImageProcessor(artefacts, resources.imageDecoding);
  const graph = await open('model');
  requirePorts(graph, { inputs: ['pixel_values', 'pixel_mask'], outputs: ['logits', 'pred_boxes'] }, artefacts.directory);
  const mask = graph.inputs.find(({ name }) => name === 'pixel_mask')?.shape ?? [];
  return async (input) => {
    if (input.kind !== 'image') throw modelError('LS_MODEL_INPUT', `this model reads images, not ${input.kind}`);
    if (input.text !== undefined) throw modelError('LS_MODEL_REQUEST', 'this model writes no text and takes none to begin with');
    if (input.classes !== undefined) throw modelError('LS_MODEL_REQUEST', 'this model has classes of its own and takes no others');
    const limits: DetectionConfig = { ...artefacts.manifest.defaults, ...input.config };
    const { values, width, height, original } = await processor(input);
    return async () => {
      // An export may have fixed the size of the mask; it is of ones all the same.
      const sizeAt = (axis: number, otherwise: number): number => (typeof mask[axis] === 'number' && mask[axis] > 0 ? mask[axis] : otherwise);
      const outputs = await graph.run({ pixel_values: float32Tensor(values, [1, 3, height, width]), pixel_mask: onesTensor([1, sizeAt(1, height), sizeAt(2, width)]) });
      return detectionsOf(candidatesOf(outputs, id2label), { ...limits, threshold: limits.threshold ?? thresholdDefault }, original);
    };
  };
};

/** Of each query the likeliest class that is not the last one, which stands for nothing. */
function candidatesOf(outputs: Feeds, labels: Readonly<Record<string, string>>): Candidate[] {
  const { data, dims } = numbersOf(outputs, 'logits');
  const boxes = numbersOf(outputs, 'pred_boxes').data;
  const width = dims[2] ?? 0;
  const queries = boxes.length / 4;
  if (dims.length !== 3 || data.length !== queries * width) throw modelError('LS_MODEL_OUTPUT', `the logits are [${dims.join(', ')}] for ${queries} boxes`);
  return Array.from({ length: queries }, (_, query): Candidate => {
    const logits = data.subarray(query * width, (query + 1) * width);
    const largest = logits.reduce((found, logit) => Math.max(found, logit), Number.NEGATIVE_INFINITY);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
    let best = 0;
    for (let index = 1; index < width - 1; index += 1) if ((logits[index] ?? 0) > (logits[best] ?? 0)) best = index;
    const score = Math.exp((logits[best] ?? 0) - largest) / total;
    return { label: labels[best] ?? String(best), score, box: [boxes[4 * query] ?? 0, boxes[4 * query + 1] ?? 0, boxes[4 * query + 2] ?? 0, boxes[4 * query + 3] ?? 0] };
  });
}
