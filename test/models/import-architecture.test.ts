// A transformer is imported from nothing but its published files: the architecture is told, the graphs are found, the known answers are its own.
import { cp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { architectureIn, importArchitecture } from '../../src/models/import-architecture.ts';
import { loadArtefacts } from '../../src/models/repository.ts';
import { architectureNames } from '../../src/models/transformers/architectures.ts';
import { verifyModel } from '../../src/models/verify.ts';
import { rejectedMessage, temporaryDirectory } from './model-directory.ts';

vi.setConfig({ testTimeout: 240_000 });

const tiny = join(import.meta.dirname, 'tiny');

/** As it is published: without what the tests keep beside it. */
async function published(name: string): Promise<string> {
  const directory = join(await temporaryDirectory(), name);
  await cp(join(tiny, name), directory, { recursive: true });
  await rm(join(directory, 'goldens.json'));
  return directory;
}

test.each(architectureNames)('%s', async (name) => {
  const from = await published(name);
  const directory = join(await temporaryDirectory(), 'model');
  expect(await architectureIn(from)).toBe(name);
  const { manifest, report } = await importArchitecture(name, { from, directory, licence: 'Apache-2.0', name: `tiny-${name}` });
  expect(report.checks.map((check) => [check.name, check.ok])).toEqual(['manifest', 'files', 'load', 'known-answers', 'batch-invariance'].map((check) => [check, true]));
  expect(manifest).toMatchObject({ kind: 'transformers', name: `tiny-${name}`, architecture: name, reproducible: true });
  expect(manifest.knownAnswers.length).toBeGreaterThan(1);
  expect((await verifyModel(directory)).ok).toBe(true);
  const { files } = (await loadArtefacts(directory)).manifest;
  expect(files.map(({ path }) => path)).not.toContain('merges.txt');
  if (name === 'clip') expect(manifest.similarity?.scale).toBeCloseTo(Math.exp(2.6592), 3);
  if (name === 'siglip') expect([manifest.similarity?.scale, manifest.similarity?.bias]).toEqual([expect.closeTo(Math.exp(2), 3), expect.closeTo(-1, 3)]);
});

test('what is called otherwise is named, and what is missing is told', async () => {
  const from = await published('vit-gpt2');
  const directory = join(await temporaryDirectory(), 'model');
  const options = { from, directory, licence: 'MIT' };
  await rename(join(from, 'onnx/decoder_model_merged.onnx'), join(from, 'onnx/other.onnx'));
  expect(await rejectedMessage(importArchitecture('vit-gpt2', options), 'LS_MODEL_IMPORT')).toContain('--graph decoder=FILE');
  const { manifest } = await importArchitecture('vit-gpt2', { ...options, graphs: { decoder: 'onnx/other.onnx' } });
  expect(manifest.graphs).toEqual({ encoder: 'onnx/encoder_model.onnx', decoder: 'onnx/other.onnx' });
  expect(await rejectedMessage(importArchitecture('vit-gpt2', { ...options, graphs: { vision: 'a.onnx' } }), 'LS_MODEL_IMPORT')).toContain('whose graphs are encoder, decoder');
  await rm(join(from, 'tokenizer.json'));
  expect(await rejectedMessage(importArchitecture('vit-gpt2', { ...options, graphs: { decoder: 'onnx/other.onnx' } }), 'LS_MODEL_IMPORT')).toContain('tokenizer.json');
});

test('how probabilities come of cosines is said, or measured, or asked for', async () => {
  const from = await published('clip');
  const root = await temporaryDirectory();
  const options = { from, directory: join(root, 'model'), licence: 'MIT' };
  await rm(join(from, 'onnx/model.onnx'));
  expect(await rejectedMessage(importArchitecture('clip', options), 'LS_MODEL_IMPORT')).toContain('--similarity SCALE,BIAS');
  expect(await readdir(root)).toEqual([]);
  const { manifest } = await importArchitecture('clip', { ...options, similarity: { scale: 100, bias: 0 }, classes: ['a cat', 'a dog'] });
  expect(manifest.similarity).toEqual({ scale: 100, bias: 0 });
  expect(manifest.knownAnswers[0]?.input).toMatchObject({ classes: ['a cat', 'a dog'] });
});

test('a text encoder is none, and what is not built is refused', async () => {
  expect(await architectureIn(join(tiny, 'bert'))).toBeUndefined();
  const from = await published('vit-gpt2');
  await writeFile(join(from, 'config.json'), JSON.stringify({ model_type: 'vision-encoder-decoder', encoder: { model_type: 'vit' }, decoder: { model_type: 'trocr' } }));
  expect(await rejectedMessage(architectureIn(from), 'LS_MODEL_IMPORT')).toContain('vit with trocr');
});

test('a detector none of whose boxes stands clear is told', async () => {
  const from = await published('owlvit');
  const root = await temporaryDirectory();
  const imported = (name: string, knownInputs?: readonly string[]) => importArchitecture('owlvit', { from, directory: join(root, name), licence: 'MIT', knownInputs });
  const blank = (known: readonly { readonly output: object }[]) => known.every(({ output }) => 'boxes' in output && Array.isArray(output.boxes) && output.boxes.length === 0);
  const { manifest, notes } = await imported('both');
  expect({ blank: blank(manifest.knownAnswers), notes }).toEqual({ blank: false, notes: [] });
  // On the stripes alone two of its boxes are of nearly one score.
  const alone = await imported('stripes', [join(root, 'both/known/stripes.png')]);
  expect(blank(alone.manifest.knownAnswers)).toBe(true);
  expect(alone.notes).toEqual([expect.stringContaining('name images with --known-input')]);
});
