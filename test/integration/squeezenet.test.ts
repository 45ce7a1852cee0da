// A classifier in half precision, with a fixed batch of 1, gives the published probabilities for a published image.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { sampleModels, samples } from '../../examples/example.ts';
import { openInference } from '../../src/models/inference.ts';
import { knownInputs } from '../../src/models/known-answers.ts';
import { loadGraph } from '../models/graph-models.ts';
import { temporaryDirectory, writeModel } from '../models/model-directory.ts';
import { fileThere, testWith } from '../requirements.ts';

const model = join(sampleModels, 'squeezenet_fp16.onnx');
const picture = join(samples, 'images/fish.png');
const answer = join(samples, 'Squeezenet_fp16_fish_input_CPU.csv');
/** Seen: 0.000002, the rounding of the CSV. Other processors add up in another order: three decimals of half precision are the same. */
const tolerance = 0.001;

const preprocessing = {
  kind: 'image', input: 'data_0', width: 224, height: 224, resize: { rule: 'stretch', kernel: 'linear' }, colourOrder: 'BGR', scale: 1, layout: 'NCHW',
};

async function published(): Promise<number[]> {
  const rows = (await readFile(answer, 'utf8')).trim().split(/\r?\n/).slice(1);
  return rows.map((row) => Number(row.split(',')[1]));
}

testWith({ [model]: fileThere(model), [picture]: fileThere(picture), [answer]: fileThere(answer) }, 'SqueezeNet knows the fish', {}, async () => {
  const output = await published();
  expect(output).toHaveLength(1000);
  expect(output[0]).toBeCloseTo(0.738, 3);
  const known = { input: { kind: 'image', file: 'fish.png', contentType: 'image/png' }, output, tolerance };
  const parts = {
    name: 'squeezenet', version: '1.0.0', task: 'image-classification', licence: 'BSD-2-Clause', source: 'SqueezeNet 1.1 in half precision', model: 'model.onnx', opset: 7, reproducible: true, preprocessing,
    postprocessing: { kind: 'scores', output: 'softmaxout_1' }, labels: output.map((_, index) => `class ${index}`), executedShapes: { batchSizes: [1] }, knownAnswers: [known],
  };
  const directory = await writeModel(await temporaryDirectory(), parts, { 'model.onnx': await readFile(model), 'fish.png': await readFile(picture) });
  const artefacts = await loadGraph(directory);
  const inference = await openInference(artefacts);
  const [outcome] = await inference.run(knownInputs(artefacts));
  await inference.release();
  const found = outcome !== undefined && 'output' in outcome ? [...outcome.output] : [];
  expect(found).toHaveLength(1000);
  const largest = Math.max(...output.map((value, index) => Math.abs(value - (found[index] ?? Number.NaN))));
  if (process.env['LABELSTREAM_TEST_SHOW'] !== undefined) console.log(`class 0: ${found[0] ?? Number.NaN}; largest difference ${largest}`);
  expect(largest).toBeLessThanOrEqual(tolerance);
});
