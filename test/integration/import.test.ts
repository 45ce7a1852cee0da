// Networks from elsewhere by `models import`: the numbers of their authors come out again, and what cannot be imported is refused.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { sampleModels, samples } from '../../examples/example.ts';
import { runProgram, withDirectory } from '../service/program.ts';
import { fileThere, testWith } from '../requirements.ts';

const squeezenet = join(sampleModels, 'squeezenet_fp16.onnx');
const fish = join(samples, 'images/fish.png');
const fishScores = join(samples, 'Squeezenet_fp16_fish_input_CPU.csv');
const imagenetLabels = join(samples, 'labels/imagenet1000_clsidx_to_labels.txt');

testWith({ [squeezenet]: fileThere(squeezenet), [fish]: fileThere(fish) }, 'SqueezeNet, imported, sees in a fish what its authors measured', { timeout: 120_000 }, () =>
  withDirectory(async (directory) => {
    const target = join(directory, 'squeezenet');
    const imported = await runProgram(
      'models', 'import', squeezenet, '--to', target, '--preset', 'raw', '--colour-order', 'BGR', '--labels', imagenetLabels, '--known-input', fish, '--json',
    );
    expect(imported.code, imported.stderr).toBe(0);
    expect(JSON.parse(imported.stdout)).toMatchObject({ task: 'image-classification', opset: 7, reproducible: true, executedShapes: { batchSizes: [1] }, notes: [] });
    const manifest = JSON.parse(await readFile(join(target, 'manifest.json'), 'utf8')) as { labels: string[]; knownAnswers: { output: number[] }[] };
    const scores = manifest.knownAnswers[0]?.output ?? [];
    const measured = (await readFile(fishScores, 'utf8')).trim().split('\n').slice(1).map((line) => Number(line.split(',')[1]));
    expect(measured).toHaveLength(1000);
    expect(Math.max(...measured.map((score, index) => Math.abs(score - (scores[index] ?? Number.NaN))))).toBeLessThan(1e-5);
    expect(scores[0]).toBeCloseTo(0.738, 3);
    expect(manifest.labels.slice(0, 2)).toEqual(['tench, Tinca tinca', 'goldfish, Carassius auratus']);
    expect(manifest.labels.filter((label) => label.startsWith('crane ('))).toEqual(['crane (134)', 'crane (517)']);
  }),
);

const refused: readonly (readonly [file: string, options: readonly string[], said: string])[] = [
  ['invalid/opset1-does-not-load.onnx', [], '(opset 1): This is an invalid model'],
  ['mnist.onnx', [], 'the input Input3 is [1, 1, 28, 28]: neither its second nor its last size is 3'],
  ['silero_vad.onnx', [], 'it has 3 inputs (input float32[?, ?], state float32[2, ?, 128], sr int64[])'],
  ['ultraface_RFB-320.onnx', [], 'it has the outputs scores, boxes: say with --output which one counts'],
  ['yolox_nano.onnx', [], 'the output output has 301665 numbers for an image; a vector has at most 65536'],
  ['shufflenet-v2-12-int8.onnx', ['--expose', '6111'], 'no node computes a tensor "6111"; near names are 611, '],
  ['shufflenet-v2-12-int8.onnx', ['--labels', join(samples, 'labels/coco_classes.txt')], 'has 80 labels; the output output has 1000 classes'],
];

testWith({ [sampleModels]: fileThere(sampleModels) }, 'what cannot be imported is refused with its reason, and leaves nothing behind', { timeout: 240_000 }, () =>
  withDirectory(async (directory) => {
    const empty = join(directory, 'empty');
    await mkdir(empty);
    for (const [file, options, said] of refused) {
      const { code, stdout, stderr } = await runProgram('models', 'import', join(sampleModels, file), '--to', join(empty, 'a/b'), '--preset', 'unit', ...options);
      expect(stderr).toContain(said);
      expect(stderr).toMatch(/\[LS_MODEL_(IMPORT|LOAD)\]\n/);
      expect({ file, code, stdout }).toEqual({ file, code: 1, stdout: '' });
    }
    expect(await readdir(empty)).toEqual([]);
  }),
);
