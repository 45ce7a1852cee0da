// Real weights, by hand: the commands that a person would type, from the published file to the answer.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { sampleModels, samples } from '../../examples/example.ts';
import { fileThere, testWith } from '../requirements.ts';
import { jsonLines, runProgram, withDirectory } from '../service/program.ts';

const options = { timeout: 600_000 };
const shuffleNet = join(sampleModels, 'shufflenet-v2-12-int8.onnx');
const squeezeNet = join(sampleModels, 'squeezenet_fp16.onnx');
const photographs = join(samples, 'images/cats-dogs');
const fish = join(samples, 'images/fish.png');
const labels = join(samples, 'labels/imagenet_labels_winml.json');

type Top = { readonly label: string; readonly score: number };

/** The likeliest label of each file. */
async function classified(model: string, files: readonly string[]): Promise<readonly { readonly file: string; readonly top: Top | undefined }[]> {
  const { stdout, stderr, code } = await runProgram('task', 'image-classification', ...files, '--model', model, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return jsonLines(stdout).map(({ file, result }) => ({ file: String(file), top: (result as { 'labelstream.v1.Classification': { labels: Top[] } })['labelstream.v1.Classification'].labels[0] }));
}

testWith({ [shuffleNet]: fileThere(shuffleNet), [photographs]: fileThere(photographs) }, 'ShuffleNet tells the cats from the dogs', options, () =>
  withDirectory(async (directory) => {
    const model = join(directory, 'shufflenet');
    const preparation = ['--preset', 'imagenet', '--shorter-side', '224', '--kernel', 'lanczos3'];
    expect((await runProgram('models', 'import', shuffleNet, '--to', model, '--activation', 'softmax', '--group', 'cat=281-285,dog=151-268', ...preparation)).code).toBe(0);
    const files = (await Promise.all(['cats', 'dogs'].map(async (kind) => (await readdir(join(photographs, kind))).map((name) => join(photographs, kind, name))))).flat();
    const answers = await classified(model, files);
    expect(answers.length).toBe(29);
    expect(answers.filter(({ file, top }) => !file.includes(`/${top?.label ?? ''}s/`))).toEqual([]);
  }),
);

testWith({ [squeezeNet]: fileThere(squeezeNet), [fish]: fileThere(fish), [labels]: fileThere(labels) }, 'SqueezeNet knows the fish', options, () =>
  withDirectory(async (directory) => {
    const model = join(directory, 'squeezenet');
    expect((await runProgram('models', 'import', squeezeNet, '--to', model, '--preset', 'raw', '--colour-order', 'BGR', '--resize', 'stretch', '--labels', labels)).code).toBe(0);
    const [answer] = await classified(model, [fish]);
    expect(answer?.top?.label).toContain('tench');
    expect(answer?.top?.score).toBeCloseTo(0.738, 3);
  }),
);
