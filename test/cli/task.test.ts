// `labelstream task` gives what the stream gives, by hand: one answer per file, each file for itself, with and without a configuration.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { golden, tinyDirectory, type CaptionGolden, type DetectionGolden, type ZeroShotGolden } from '../models/transformers/tiny-models.ts';
import { jsonLines, repository, runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { fields, notesConfiguration } from './fixtures.ts';

// Each command is a process of its own: on a busy machine their starts take most of the time.
vi.setConfig({ testTimeout: 240_000 });

const models = join(repository, 'models');
const tiny = join(repository, 'test/models/tiny/inputs');
const topics = ['--model', join(models, 'topic-classifier')] as const;
const oil = 'Oil prices rise to a record as supply falls.';
const cup = 'The striker scores twice as the team wins the cup final.';

type Classification = { readonly result: { readonly 'labelstream.v1.Classification': { readonly labels: readonly { readonly label: string; readonly score: number }[] } } };
const topLabel = (line: unknown): string | undefined => (line as Classification).result['labelstream.v1.Classification'].labels[0]?.label;

test('texts: a file is one, or each of its lines is; one that cannot be answered fails alone', async () => {
  await withDirectory(async (directory) => {
    const [good, empty, lines] = [join(directory, 'oil'), join(directory, 'empty.txt'), join(directory, 'both')];
    await writeFile(good, oil);
    await writeFile(empty, '');
    await writeFile(lines, `${oil}\n\n${cup}\n`);
    const missing = join(directory, 'missing');
    const { code, stdout, stderr } = await runProgram('task', 'text-classification', missing, good, empty, ...topics, '--json');
    const answers = jsonLines(stdout);
    expect({ code, files: answers.map(({ file }) => file) }).toEqual({ code: 1, files: [missing, good, empty] });
    expect(answers).toMatchObject([
      { error: { code: 'LS_CLI_FILE' } },
      { task: 'text-classification', model: 'topic-classifier', modelVersion: expect.any(String) as string },
      { error: { code: 'LS_TASK_INPUT' } },
    ]);
    expect(topLabel(answers[1])).toBe('business');
    expect((await runProgram('task', 'text-classification', missing, good, ...topics)).stderr).toMatch(/^\S*missing: ENOENT/);
    expect(stderr).toContain('2 of 3 items could not be answered [LS_CLI_TASK_FAILED]');
    const byLines = await runProgram('task', 'text-classification', lines, ...topics, '--lines', '--json');
    expect(jsonLines(byLines.stdout).map((answer) => [answer['line'], topLabel(answer)])).toEqual([[1, 'business'], [3, 'sports']]);
    const shown = await runProgram('task', 'text-classification', good, empty, ...topics);
    expect(shown.stdout).toMatch(/oil:\n {2}LABEL +SCORE\n {2}business +0\.\d{4}\n/);
    expect(shown.stderr).toContain(`${empty}: text-classification: the field text is empty [LS_TASK_INPUT]`);
  });
});

const row = Object.fromEntries(fields.map((field, index) => [field, index + 1]));

test('records: CSV, JSON and JSON lines by their content; the only model of a configuration for the task is taken', async () => {
  await withDirectory(async (directory) => {
    const config = await writeConfiguration(directory, notesConfiguration);
    const files = {
      csv: `${fields.join(',')},class\n1,2,3,4,x\n4,3,2,1,y\n`,
      one: JSON.stringify(row),
      list: JSON.stringify([row, { ...row, variance: 'much' }]),
      lines: `${JSON.stringify(row)}\nno JSON\n`,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    const { code, stdout } = await runProgram('task', 'record-prediction', ...Object.keys(files).map((name) => join(directory, name)), '--attribute-column', 'class', '-c', config, '--json');
    const answers = jsonLines(stdout).map(({ file, line, error, result }) => [String(file).split('/').at(-1), line, (error as { code?: string } | undefined)?.code ?? Object.keys(result as object)[0]]);
    const prediction = 'labelstream.v1.Prediction';
    expect({ code, answers }).toEqual({
      code: 1,
      answers: [['csv', 2, prediction], ['csv', 3, prediction], ['one', 1, prediction], ['list', 1, prediction], ['list', 2, 'LS_CLI_COLUMN'], ['lines', 1, prediction], ['lines', 2, 'LS_CLI_INPUT']],
    });
  });
});

test('standard input is a file', async () => {
  const child = spawn(process.execPath, [join(repository, 'bin/labelstream.js'), 'task', 'text-features', '-', '--model', join(models, 'static-text-encoder'), '--json'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stdin.end(oil);
  expect(await new Promise((ended) => child.on('close', ended))).toBe(0);
  const [answer] = jsonLines(stdout);
  expect(answer).toMatchObject({ file: '-', model: 'static-text-encoder' });
  expect((answer?.['vector'] as number[]).length).toBe(128);
});

test('images are told by their bytes, and answered as Python answers: captions, with and without a beginning', async () => {
  await withDirectory(async (directory) => {
    const model = await tinyDirectory('vit-gpt2', { directory: join(directory, 'model') });
    const { cases, images } = await golden<CaptionGolden>('vit-gpt2');
    const { parameters, texts } = cases.find(({ prefix, parameters: { num_beams } }) => prefix === null && num_beams > 1)!;
    const config = Object.entries(parameters).flatMap(([name, value]) => (['num_beams', 'max_new_tokens', 'early_stopping', 'length_penalty'].includes(name) ? ['--task-config', `${name}=${value}`] : []));
    const { stdout, code } = await runProgram('task', 'image-captioning', ...images.map((name) => join(tiny, name)), '--model', model, ...config, '--json');
    expect(code).toBe(0);
    expect(jsonLines(stdout).map(({ result }) => (result as { 'labelstream.v1.Caption': { text: string } })['labelstream.v1.Caption'].text)).toEqual(texts.map((text) => text.trim()));
    const begun = cases.find(({ prefix, parameters: { num_beams } }) => prefix !== null && num_beams === 1)!;
    const shown = await runProgram('task', 'conditional-image-captioning', join(tiny, images[0]!), '--model', model, '--text', begun.prefix!, '--task-config', JSON.stringify({ max_new_tokens: begun.parameters.max_new_tokens }));
    expect(shown).toMatchObject({ code: 0, stdout: `${begun.texts[0]!.trim()}\n` });
    const misnamed = join(directory, 'picture.txt');
    await writeFile(misnamed, 'no picture');
    const other = await runProgram('task', 'image-captioning', misnamed, join(tiny, 'melody.wav'), '--model', model, '--json');
    expect(jsonLines(other.stdout)).toMatchObject([{ error: { code: 'LS_IMAGE_FORMAT' } }, { error: { code: 'LS_IMAGE_FORMAT' } }]);
  });
});

test('classes are told apart, and boxes found', async () => {
  await withDirectory(async (directory) => {
    const clip = await golden<ZeroShotGolden>('clip');
    const model = await tinyDirectory('clip', { directory: join(directory, 'clip') });
    const zeroShot = await runProgram('task', 'zero-shot-image-classification', join(tiny, clip.images[0]!), '--model', model, ...clip.classes.flatMap((name) => ['--class', name]), '--json');
    const { classes, probabilities } = (jsonLines(zeroShot.stdout)[0]!['result'] as { 'labelstream.v1.ZeroShot': { classes: string[]; probabilities: number[] } })['labelstream.v1.ZeroShot'];
    expect(classes).toEqual(clip.classes);
    for (const [index, probability] of clip.probabilities[0]!.entries()) expect(probabilities[index]).toBeCloseTo(probability, 4);
    const detr = await golden<DetectionGolden>('detr');
    const found = await runProgram('task', 'object-detection', join(tiny, detr.detections[0]!.image), '--model', await tinyDirectory('detr', { directory: join(directory, 'detr') }), '--task-config', `threshold=${detr.threshold}`, '--json');
    const { labels } = (jsonLines(found.stdout)[0]!['result'] as { 'labelstream.v1.Detection': { labels: string[] } })['labelstream.v1.Detection'];
    expect(labels.length).toBe(detr.detections[0]!.boxes.length);
    expect(labels.length).toBeGreaterThan(0);
  });
});

test('a sound is heard', async () => {
  await withDirectory(async (directory) => {
    const model = await tinyDirectory('whisper', { directory });
    const { code, stdout } = await runProgram('task', 'automated-speech-recognition', join(tiny, 'melody.wav'), '--model', model, '--task-config', 'max_new_tokens=8', '--json');
    expect({ code, result: jsonLines(stdout)[0]?.['result'] }).toMatchObject({ code: 0, result: { 'labelstream.v1.Transcript': { text: expect.any(String) as string } } });
  });
});

test.each([
  [['text-classification', 'x'], 'name a model: --model DIRECTORY'],
  [['text-classification', 'x', '--model', 'nowhere'], 'nowhere is no directory of a model'],
  [['image-features', 'x', ...topics], 'is made for text-classification, not for image-features'],
  [['sing', 'x', ...topics], 'there is no task sing; there are text-features'],
  [['text-classification', 'x', '--text', 'a', ...topics], 'takes no --text'],
  [['conditional-image-captioning', 'x', ...topics], 'needs --text'],
  [['zero-shot-image-classification', 'x', ...topics], 'needs --class'],
  [['image-captioning', 'x', '--class', 'a', ...topics], 'takes no --class'],
  [['image-captioning', 'x', '--task-config', 'num_beams=many', ...topics], 'config.num_beams'],
  [['image-captioning', 'x', '--task-config', 'beams', ...topics], 'neither of the form name=value nor a JSON object'],
  [['text-classification', '-', '-', ...topics], 'standard input can be read once'],
  [['text-classification', 'x', '--set', 'inference.workerCount=1', ...topics], '--set needs --config'],
])('refuses %j', async (parameters, said) => {
  const { code, stdout, stderr } = await runProgram('task', ...parameters);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(said);
});

test('of several models, or none, for the task the configuration is not enough', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration.replace('models: {', 'models: { more: { directory: MODELS/banknote-classifier }, '));
    const several = await runProgram('task', 'record-prediction', 'x', '-c', file);
    expect(several).toMatchObject({ code: 2, stderr: expect.stringContaining('more, notes are made for record-prediction: choose one with --model') as string });
    const none = await runProgram('task', 'text-features', 'x', '-c', file);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('no model of the configuration is made for text-features; it names more, notes') as string });
  });
});

test('where no model is made for the task, and one cannot be read, that is what is told', async () => {
  await withDirectory(async (directory) => {
    const missing = { code: 78, stderr: expect.stringMatching(/there is no \S*absent\/manifest\.json \[LS_MODEL_NOT_FOUND\]/) as string };
    const file = await writeConfiguration(directory, notesConfiguration.replace('models: {', 'models: { absent: { directory: absent }, '));
    expect(await runProgram('task', 'text-features', 'x', '-c', file)).toMatchObject(missing);
    const record = join(directory, 'record.json');
    await writeFile(record, JSON.stringify(row));
    expect(await runProgram('task', 'record-prediction', record, '-c', file)).toMatchObject({ code: 0 });
  });
});

test('a task of a plugin, by a model of a plugin, without a configuration', async () => {
  const folder = join(repository, 'examples/plugins/colours');
  const image = join(repository, 'examples/images/umbrella-01.jpg');
  const ask = (...parameters: readonly string[]) => runProgram('task', 'dominant-colour', image, '--model', join(folder, 'model'), ...parameters);
  const { code, stdout, stderr } = await ask('--plugin', join(folder, 'plugin.ts'), '--task-config', 'ignoreGrey=true', '--json');
  expect(code, stderr).toBe(0);
  expect(jsonLines(stdout)).toMatchObject([{ task: 'dominant-colour', model: 'colours', result: { 'labelstream.v1.Classification': { labels: [{ label: 'yellow' }, {}, {}, {}, {}, {}] } } }]);
  const wrong = await ask('--plugin', join(folder, 'plugin.ts'), '--task-config', 'ignoreGray=true');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('this task knows ignoreGrey alone')]);
  const unknown = await ask();
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('there is no task dominant-colour')]);
});
