import { describe, expect, test } from 'vitest';
import { LabelstreamError } from '../../src/core/errors/error.ts';
import { outputWidth, parseManifest } from '../../src/models/manifest.ts';
import { classifierManifest, encoderManifest } from './model-directory.ts';

const files = [{ path: 'model.onnx', sha256: 'a'.repeat(64), sizeBytes: 3 }];
const values = { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } };
const classifier = { ...classifierManifest, files, knownAnswers: [{ input: values, output: [1, 0, 0], tolerance: 0 }] };
const encoder = {
  ...encoderManifest,
  files,
  knownAnswers: [{ input: { kind: 'text', text: 'x' }, output: [1, 2, 3, 4, 5, 6, 7, 8], tolerance: 0 }],
};

function mistakes(manifest: unknown): string {
  try {
    parseManifest(JSON.stringify(manifest), 'there/manifest.json');
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_MODEL_MANIFEST') return error.message;
    throw error;
  }
  throw new Error('the manifest was accepted');
}

describe('parseManifest', () => {
  test('accepts both kinds of model', () => {
    expect(outputWidth(parseManifest(JSON.stringify(classifier), 'm'))).toBe(3);
    expect(outputWidth(parseManifest(JSON.stringify(encoder), 'm'))).toBe(8);
  });

  test.each([
    ['/etc/passwd'],
    ['../model.onnx'],
    ['a/../../model.onnx'],
    ['./model.onnx'],
    ['a//b'],
    ['C:\\model.onnx'],
    ['..\\model.onnx'],
    [''],
    ['a\0b'],
  ])('refuses the path %j wherever a path stands', (path) => {
    expect(mistakes({ ...classifier, files: [{ ...files[0], path }] })).toMatch(/files\.0\.path: must be a path inside/);
    expect(mistakes({ ...classifier, model: path })).toMatch(/ model: must be a path inside/);
    expect(mistakes({ ...classifier, card: path })).toMatch(/ card: must be a path inside/);
  });

  test('names every mistake at once', () => {
    const message = mistakes({
      ...classifier,
      name: 'Not A Name',
      version: '1',
      licence: '',
      files: [{ path: 'model.onnx', sha256: 'ABC', sizeBytes: -1 }],
      executedShapes: { batchSizes: [4, 1] },
      reproducable: true,
    });
    for (const where of ['name', 'version', 'licence', 'files.0.sha256', 'files.0.sizeBytes', 'executedShapes.batchSizes', '(the whole)']) {
      expect(message).toContain(`\n  ${where}: `);
    }
    expect(message).toContain('reproducable');
    expect(message).toContain('there/manifest.json has 7 mistakes');
  });

  test.each([
    ['lengths missing', { ...encoder, executedShapes: { batchSizes: [1] } }, 'executedShapes.lengths'],
    ['lengths without texts', { ...classifier, executedShapes: { batchSizes: [1], lengths: [8] } }, 'executedShapes.lengths'],
    ['more tokens than fit', { ...encoder, executedShapes: { batchSizes: [1], lengths: [127] } }, 'preprocessing.maxTokens'],
    ['scores without labels', { ...classifier, labels: [] }, 'labels'],
    ['a label twice', { ...classifier, labels: ['a', 'a', 'b'] }, 'labels'],
    ['a field twice', { ...classifier, preprocessing: { kind: 'values', fields: ['a', 'a'] } }, 'preprocessing.fields'],
    ['a file twice', { ...classifier, files: [files[0], files[0]] }, 'files'],
    ['an answer of another kind', { ...classifier, knownAnswers: [{ input: { kind: 'text', text: 'x' }, output: [1, 0, 0], tolerance: 0 }] }, 'knownAnswers.0.input'],
    ['an answer of another width', { ...classifier, knownAnswers: [{ input: values, output: [1], tolerance: 0 }] }, 'knownAnswers.0.output'],
    ['no answer', { ...classifier, knownAnswers: [] }, 'knownAnswers'],
    ['an unknown preprocessing', { ...classifier, preprocessing: { kind: 'pixels' } }, 'preprocessing.kind'],
    ['a mistyped parameter', { ...encoder, preprocessing: { ...encoderManifest['preprocessing'] as object, buckets: 1 } }, 'preprocessing'],
  ])('refuses %s', (_, manifest, where) => {
    expect(mistakes(manifest)).toContain(`\n  ${where}: `);
  });

  test.each([['null'], ['[]'], ['3'], ['"x"'], ['{'], ['']])('refuses the text %j', (text) => {
    expect(() => parseManifest(text, 'm')).toThrow(expect.objectContaining({ code: 'LS_MODEL_MANIFEST' }));
  });
});
