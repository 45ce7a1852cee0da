/**
 * The sample images through the bundled models, decoded as in production: the groups that the cards promise, which the training script saw
 * with another decoder and another resize.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import { openInference } from '../../src/models/inference.ts';
import type { ModelInput } from '../../src/models/model-port.ts';
import { loadGraph, rowOf } from './graph-models.ts';

const root = join(import.meta.dirname, '../..');
const samples = join(root, 'examples/images');
const subjects = ['butterfly', 'cat', 'key', 'sailboat', 'umbrella'];

const subjectOf = (file: string): string => file.replace(/-\d.*$/, '');

async function sampleFiles(): Promise<string[]> {
  return (await readdir(samples)).filter((name) => /\.(jpg|png)$/.test(name)).sort();
}

async function outputs(model: string, files: readonly string[]): Promise<Float32Array[]> {
  const inference = await openInference(await loadGraph(join(root, 'models', model)));
  const inputs = await Promise.all(files.map(async (file): Promise<ModelInput> => ({ kind: 'image', bytes: await readFile(join(samples, file)), contentType: file.endsWith('.png') ? 'image/png' : 'image/jpeg' })));
  const outcomes = await inference.run(inputs);
  await inference.release();
  return outcomes.map((outcome, index) => {
    if ('failure' in outcome) throw new Error(`${files[index] ?? ''}: ${outcome.failure.message}`);
    return Float32Array.from(rowOf(outcome));
  });
}

test('there are ten of each of five things, and five odd ones', async () => {
  const counts: Record<string, number> = {};
  for (const file of await sampleFiles()) counts[subjectOf(file)] = (counts[subjectOf(file)] ?? 0) + 1;
  expect(counts).toEqual({ ...Object.fromEntries(subjects.map((subject) => [subject, 10])), odd: 5 });
});

describe('visual-encoder', () => {
  test.each([0.3, 0.4, 0.5])('finds the five things and leaves the odd ones as noise, at eps %d', async (eps) => {
    const files = await sampleFiles();
    const vectors = await outputs('visual-encoder', files);
    const clustering = createClustering({ metric: 'cosine', eps, minPoints: 3 }, { collection: 'images', epoch: 1, generation: 'g' });
    clustering.apply(files.map((itemId, index) => ({ kind: 'insert', itemId, vector: vectors[index] ?? new Float32Array() })), 1n);
    const groups = clustering.clusters().map(({ itemIds }) => itemIds.map(subjectOf));
    expect(groups.map((group) => [...new Set(group)].join()).sort()).toEqual(subjects);
    expect(groups.map((group) => group.length)).toEqual([10, 10, 10, 10, 10]);
    expect(clustering.noiseCount()).toBe(5);
  });
});

test('drawing-classifier names every one of the five things', async () => {
  const files = (await sampleFiles()).filter((file) => subjectOf(file) !== 'odd');
  const { labels } = (await loadGraph(join(root, 'models/drawing-classifier'))).manifest;
  const named = (await outputs('drawing-classifier', files)).map((scores) => labels[scores.indexOf(Math.max(...scores))]);
  expect(named).toEqual(files.map(subjectOf));
});
