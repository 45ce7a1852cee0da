import { describe, expect, test } from 'vitest';
import { LabelstreamError } from '../../src/core/errors/error.ts';
import { outputWidth, parseManifest, tasksOf } from '../../src/models/manifest.ts';
import { parseGraphManifest } from './graph-models.ts';
import { classifierManifest, encoderManifest } from './model-directory.ts';

const files = [{ path: 'model.onnx', sha256: 'a'.repeat(64), sizeBytes: 3 }];
const values = { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } };
const classifier = { ...classifierManifest, files, knownAnswers: [{ input: values, output: [1, 0, 0], tolerance: 0 }] };
const encoder = {
  ...encoderManifest,
  files,
  knownAnswers: [{ input: { kind: 'text', text: 'x' }, output: [1, 2, 3, 4, 5, 6, 7, 8], tolerance: 0 }],
};

const transformer = {
  ...encoder,
  files: [...files, { path: 'tokenizer.json', sha256: 'b'.repeat(64), sizeBytes: 3 }],
  preprocessing: { kind: 'tokenizer', file: 'tokenizer.json', maxTokens: 128, inputs: { ids: 'input_ids', mask: 'attention_mask' } },
  postprocessing: { kind: 'vector', output: 'last_hidden_state', dimensions: 8, pooling: 'mean', normalisation: 'l2' },
};
const pixels = {
  kind: 'image',
  input: 'pixels',
  width: 224,
  height: 224,
  resize: { rule: 'cover', shorterSide: 256, kernel: 'linear' },
  colourOrder: 'RGB',
  scale: 1 / 255,
  layout: 'NCHW',
};
const picture = { kind: 'image', file: 'known.png', contentType: 'image/png' };
const imageClassifier = {
  ...classifier,
  files: [...files, { path: 'known.png', sha256: 'c'.repeat(64), sizeBytes: 3 }],
  preprocessing: pixels,
  postprocessing: { kind: 'scores', output: 'output', activation: 'softmax', groups: { classes: 1000, members: [[281, 282], [0], [999]] } },
  knownAnswers: [{ input: picture, output: [1, 0, 0], tolerance: 0 }],
};
const found = { kind: 'detections', boxes: [[1, 2, 3, 4]], labels: ['red'], scores: [0.9] };
const detector = {
  ...imageClassifier,
  task: 'object-detection',
  postprocessing: { kind: 'boxes', form: { kind: 'grid-offsets', output: 'output', strides: [8, 16, 32] } },
  knownAnswers: [{ input: { ...picture, config: { threshold: 0.5 } }, output: found, tolerance: 0 }],
};
const withGroups = (members: number[][]): unknown => ({
  ...imageClassifier,
  postprocessing: { ...imageClassifier.postprocessing, groups: { classes: 1000, members } },
});

function mistakes(manifest: unknown): string {
  try {
    parseManifest(JSON.stringify(manifest), 'there/manifest.json');
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_MODEL_MANIFEST') return error.message;
    throw error;
  }
  throw new Error('the manifest was accepted');
}

describe('the manifest of a transformer', () => {
  const names = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json', 'encoder.onnx', 'decoder.onnx', 'known.png'];
  const captioner = {
    kind: 'transformers', name: 'captioner', version: '1.0.0', licence: 'MIT', source: 'written by the tests', reproducible: true, architecture: 'vit-gpt2',
    files: names.map((path) => ({ path, sha256: 'a'.repeat(64), sizeBytes: 3 })),
    graphs: { encoder: 'encoder.onnx', decoder: 'decoder.onnx' },
    knownAnswers: [{ input: picture, output: { kind: 'caption', text: 'a cat' }, tolerance: 0 }],
  };
  const known = captioner.knownAnswers[0]!;

  test('is accepted, with the tasks of its architecture', () => {
    const manifest = parseManifest(JSON.stringify(captioner), 'm');
    expect(tasksOf(manifest)).toEqual(['image-captioning', 'conditional-image-captioning']);
  });

  test.each([
    ['a published file is not listed', { files: captioner.files.filter(({ path }) => path !== 'tokenizer.json') }, 'lacks tokenizer.json'],
    ['a role is missing', { graphs: { encoder: 'encoder.onnx' } }, 'lacks decoder'],
    ['a role is unknown', { graphs: { ...captioner.graphs, vision: 'encoder.onnx' } }, 'graphs.vision'],
    ['the file of a role is not listed', { graphs: { ...captioner.graphs, decoder: 'other.onnx' } }, 'graphs.decoder'],
    ['a default is unknown', { defaults: { temperature: 1 } }, 'defaults'],
    ['a default is out of its range', { defaults: { num_beams: 0 } }, 'config.num_beams'],
    ['it has a scale that it has no use for', { similarity: { scale: 100 } }, 'similarity'],
    ['an answer is of another task', { knownAnswers: [{ ...known, output: { kind: 'zero-shot', probabilities: [1] } }] }, 'must be of the kind caption'],
    ['an answer asks for what the task does not know', { knownAnswers: [{ ...known, input: { ...picture, config: { threshold: 1 } } }] }, 'knownAnswers.0.input'],
    ['an input is not listed', { knownAnswers: [{ ...known, input: { ...picture, file: 'other.png' } }] }, 'knownAnswers.0.input'],
    ['the architecture is unknown', { architecture: 'bert' }, 'architecture'],
  ])('is refused where %s', (_, change, expected) => {
    expect(mistakes({ ...captioner, ...change })).toContain(expected);
  });
});

describe('parseManifest', () => {
  test.each([
    ['values', classifier, 3],
    ['texts', encoder, 8],
    ['tokens', transformer, 8],
    ['images', imageClassifier, 3],
    ['images, and gives boxes', detector, undefined],
  ])('accepts a model that reads %s', (_, manifest, width) => {
    expect(outputWidth(parseGraphManifest(JSON.stringify(manifest)))).toBe(width);
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
    ['lengths without texts but with images', { ...imageClassifier, executedShapes: { batchSizes: [1], lengths: [8] } }, 'executedShapes.lengths'],
    ['a tokenizer that is not listed', { ...transformer, files }, 'preprocessing.file'],
    ['pooling without tokens', { ...encoder, postprocessing: transformer.postprocessing }, 'postprocessing.pooling'],
    ['a picture that is not listed', { ...imageClassifier, files }, 'knownAnswers.0.input'],
    ['an answer to a text from images', { ...imageClassifier, knownAnswers: classifier.knownAnswers }, 'knownAnswers.0.input'],
    ['another number of groups than labels', withGroups([[0], [1]]), 'postprocessing.groups.members'],
    ['a group of a class that is not there', withGroups([[0], [1], [1000]]), 'postprocessing.groups.members'],
    ['a class in two groups', withGroups([[0], [1], [2, 0]]), 'postprocessing.groups.members'],
    ['a shorter side with another rule', { ...imageClassifier, preprocessing: { ...pixels, resize: { ...pixels.resize, rule: 'contain' } } }, 'preprocessing.resize.shorterSide'],
    ['a shorter side below what is cut out', { ...imageClassifier, preprocessing: { ...pixels, resize: { ...pixels.resize, shorterSide: 200 } } }, 'preprocessing.resize.shorterSide'],
    ['a placement with another rule', { ...imageClassifier, preprocessing: { ...pixels, resize: { ...pixels.resize, placement: 'top-left' } } }, 'preprocessing.resize.placement'],
    ['boxes without labels', { ...detector, labels: [] }, 'labels'],
    ['boxes on no image', { ...classifier, postprocessing: detector.postprocessing }, 'postprocessing.kind'],
    ['a grid that does not fit its images', { ...detector, preprocessing: { ...pixels, height: 220 } }, 'postprocessing.form.strides'],
    ['an unknown form of boxes', { ...detector, postprocessing: { kind: 'boxes', form: { kind: 'polygons' } } }, 'postprocessing.form.kind'],
    ['more boxes than may be told', { ...detector, postprocessing: { ...detector.postprocessing, boxesMax: 1_001 } }, 'postprocessing.boxesMax'],
    ['a row of numbers from a detector', { ...detector, knownAnswers: [{ input: picture, output: [1, 0, 0], tolerance: 0 }] }, 'knownAnswers.0.output'],
    ['boxes from a classifier', { ...imageClassifier, knownAnswers: [{ input: picture, output: found, tolerance: 0 }] }, 'knownAnswers.0.output'],
    ['an answer that asks for what the task does not know', { ...detector, knownAnswers: [{ ...detector.knownAnswers[0], input: { ...picture, config: { num_beams: 2 } } }] }, 'knownAnswers.0.input'],
    ['a deviation of zero', { ...imageClassifier, preprocessing: { ...pixels, deviation: [1, 0, 1] } }, 'preprocessing.deviation.1'],
    ['a mistyped parameter', { ...encoder, preprocessing: { ...encoderManifest['preprocessing'] as object, buckets: 1 } }, 'preprocessing'],
  ])('refuses %s', (_, manifest, where) => {
    expect(mistakes(manifest)).toContain(`\n  ${where}: `);
  });

  test.each([['null'], ['[]'], ['3'], ['"x"'], ['{'], ['']])('refuses the text %j', (text) => {
    expect(() => parseManifest(text, 'm')).toThrow(expect.objectContaining({ code: 'LS_MODEL_MANIFEST' }));
  });
});
