// Graphs of transformers that read and give float16, as exports in half precision do, answer as those in float32, within what half precision can tell.
import { expect, test } from 'vitest';
import type { ModelAnswer } from '../../../src/models/model-port.ts';
import { float32Tensor, openGraph } from '../../../src/models/transformers/graph.ts';
import { defaultExecutionProviders } from '../../../src/models/execution-providers.ts';
import type { TransformerArtefacts } from '../../../src/models/repository.ts';
import { node, onnxModel, tensor } from '../onnx-writer.ts';
import { answerTo, openTiny, readInput, tinyArtefacts } from './tiny-models.ts';

type Precision = 'float32' | 'float16';

const int64 = (values: readonly number[]): BigInt64Array => BigInt64Array.from(values.map(BigInt));

/** In the ports of DETR: one query, whose logits are the mean colours, and whose box comes of them. */
function meanColours(precision: Precision): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'pixel_values', type: precision, shape: [1, 3, 'height', 'width'] }, { name: 'pixel_mask', type: 'int64', shape: [1, 'rows', 'columns'] }],
    outputs: [{ name: 'logits', type: precision, shape: [1, 1, 3] }, { name: 'pred_boxes', type: precision, shape: [1, 1, 4] }],
    initializers: [tensor('query', [3], int64([1, 1, 3])), tensor('from', [1], int64([0])), tensor('to', [1], int64([1])), tensor('axis', [1], int64([2]))],
    nodes: [
      node('GlobalAveragePool', ['pixel_values'], ['means']),
      node('Reshape', ['means', 'query'], ['logits']),
      node('Slice', ['logits', 'from', 'to', 'axis'], ['first']),
      node('Concat', ['logits', 'first'], ['four'], [{ name: 'axis', value: 2 }]),
      node('Sigmoid', ['four'], ['pred_boxes']),
    ],
  });
}

async function answerIn(precision: Precision, image: string): Promise<Extract<ModelAnswer, { kind: 'detections' }>> {
  const transformer = await openTiny('detr', { files: { 'onnx/model.onnx': meanColours(precision) } });
  const answer = await answerTo(transformer, { kind: 'image', bytes: await readInput(image), contentType: 'image/png', config: { threshold: 0 } });
  await transformer.release();
  if (answer.kind !== 'detections') throw new Error(answer.kind);
  return answer;
}

test.each(['circles.png', 'blocks.png'])('%s', async (image) => {
  const [whole, half] = [await answerIn('float32', image), await answerIn('float16', image)];
  expect(half.boxes).toHaveLength(1);
  expect(half.labels).toEqual(whole.labels);
  expect(half.scores[0]).not.toBe(whole.scores[0]);
  expect(half.scores[0]).toBeCloseTo(whole.scores[0]!, 2);
  for (const [index, corner] of whole.boxes[0]!.entries()) expect(Math.abs(half.boxes[0]![index]! - corner)).toBeLessThanOrEqual(1);
});

/** A past without places, and one with some, go in and come out. */
test('what is kept between two steps goes through float16 unchanged', async () => {
  const bytes = onnxModel({
    inputs: [{ name: 'past', type: 'float16', shape: [1, 'places', 2] }, { name: 'new', type: 'float16', shape: [1, 1, 2] }],
    outputs: [{ name: 'present', type: 'float16', shape: [1, 'all', 2] }],
    nodes: [node('Concat', ['past', 'new'], ['present'], [{ name: 'axis', value: 1 }])],
  });
  const { graphs, ...artefacts } = await tinyArtefacts('detr');
  const [file] = graphs.values();
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const own: TransformerArtefacts = { ...artefacts, graphs: new Map([['model', { ...file!, bytes: shared }]]) };
  const graph = await openGraph(own, 'model', { executionProviders: defaultExecutionProviders, executed: () => undefined });
  let past = float32Tensor(new Float32Array(0), [1, 0, 2]);
  for (const value of [0.1, -2.5, 65_504]) {
    const { present } = await graph.run({ past, new: float32Tensor(Float32Array.of(value, 1 / 3), [1, 1, 2]) });
    expect(present?.type).toBe('float32');
    past = present!;
  }
  expect(past.dims).toEqual([1, 3, 2]);
  const third = 1365 / 4096;
  expect([...(past.data as Float32Array)]).toEqual([1638 / 16_384, third, -2.5, third, 65_504, third]);
  await graph.release();
});
