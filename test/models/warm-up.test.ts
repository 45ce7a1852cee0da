import { expect, test, vi } from 'vitest';
import { openInference } from '../../src/models/inference.ts';
import { warmUp } from '../../src/models/warm-up.ts';
import { classifierDirectory, encoderDirectory } from './model-directory.ts';
import { loadGraph } from './graph-models.ts';

async function executedShapes(directory: string): Promise<string[]> {
  const artefacts = await loadGraph(directory);
  const inference = await openInference(artefacts);
  const executeShape = vi.fn(inference.executeShape);
  await warmUp({ ...inference, executeShape }, artefacts);
  await inference.release();
  expect(executeShape.mock.calls.every(([item, { length }]) => item === undefined || item.length <= length)).toBe(true);
  return executeShape.mock.calls.map(([, { batchSize, length }]) => `${batchSize} x ${length}`);
}

test('a model is executed once in every shape that its manifest lists, also in those that no known answer reaches', async () => {
  expect(await executedShapes(await encoderDirectory())).toEqual(['1 x 16', '4 x 16', '1 x 64', '4 x 64', '1 x 128', '4 x 128']);
  expect(await executedShapes(await classifierDirectory())).toEqual(['1 x 0', '4 x 0']);
});
