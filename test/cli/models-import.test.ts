// What `models import` prints, and how it answers a wrong command line.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { node, onnxModel } from '../models/onnx-writer.ts';
import { runProgram, withDirectory } from '../service/program.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const flat = onnxModel({
  inputs: [{ name: 'image', type: 'float32', shape: [1, 3, 2, 2] }],
  outputs: [{ name: 'flat', type: 'float32', shape: [1, 12] }],
  nodes: [node('Flatten', ['image'], ['flat'], [{ name: 'axis', value: 1 }])],
});

test('a model is made, told in two lines or one object, and only replaced where that is said', async () => {
  await withDirectory(async (directory) => {
    const file = join(directory, 'flat.onnx');
    await writeFile(file, flat);
    const parameters = ['models', 'import', file, '--to', join(directory, 'model'), '--preset', 'unit'];
    const first = await runProgram(...parameters);
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' });
    expect(first.stdout).toBe(
      'flat 1.0.0: image-features, a vector of 12 numbers from flat, opset 17, in batches of 1\n' +
        `written to ${join(directory, 'model')}; the result of an item does not depend on its batch\n`,
    );
    const second = await runProgram(...parameters);
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toMatch(/--force replaces it \[LS_MODEL_IMPORT\]\n/);
    const third = await runProgram(...parameters, '--force', '--json', '--group', 'top=0-2,low=9', '--group', 'low=11', '--activation', 'softmax', '--model-version', '2.0.0');
    expect(JSON.parse(third.stdout)).toMatchObject({
      name: 'flat', version: '2.0.0', task: 'image-classification', labels: ['top', 'low'], reproducible: true, knownAnswers: 2, notes: [],
      postprocessing: { kind: 'scores', activation: 'softmax', groups: { classes: 12, members: [[0, 1, 2], [9, 11]] } },
    });
  });
});

test.each([
  ['--group cat', 'Write it as label=first-last'],
  ['--group cat=5-2', 'Write it as label=first-last'],
  ['--size 224', 'Write it as WIDTHxHEIGHT'],
  ['--mean 1,2', 'Write three numbers'],
  ['--scale one', 'It is no number'],
  ['--batch-sizes 1,x', 'It is no whole number'],
  ['--preset imagenett', 'Allowed choices are imagenet, unit, signed, raw'],
])('refuses %s', async (options, said) => {
  await withDirectory(async (directory) => {
    const { code, stdout, stderr } = await runProgram('models', 'import', 'x.onnx', '--to', join(directory, 'model'), ...options.split(' '));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(said);
    expect(await readdir(directory)).toEqual([]);
  });
});

test.each([
  ['no ONNX file', Buffer.from('id,text\n1,a\n'), /a\.onnx is no ONNX file: .* \[LS_MODEL_IMPORT\]\n {2}Follow the message/],
  ['what onnxruntime does not take', onnxModel({ inputs: [], outputs: [{ name: 'o', type: 'float32', shape: [1] }], nodes: [node('Nonsense', [], ['o'])] }), /\[LS_MODEL_LOAD\]\n/],
])('%s is exit code 1: no configuration names it yet', async (_, content, said) => {
  await withDirectory(async (directory) => {
    await writeFile(join(directory, 'a.onnx'), content);
    const { code, stdout, stderr } = await runProgram('models', 'import', join(directory, 'a.onnx'), '--to', join(directory, 'model'), '--preset', 'unit');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr).not.toContain('CommandFailure');
    expect(await readdir(directory)).toEqual(['a.onnx']);
  });
});
