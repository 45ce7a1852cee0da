// A list in is a list out: every item with its own outcome, shorter lists repeated by whole factors.
import { expect, test } from 'vitest';
import { modelError } from '../../src/core/errors/model.ts';
import type { ModelInput, Models } from '../../src/models/model-port.ts';
import { runTaskRequest, type TaskOutcome, type TaskRequest } from '../../src/tasks/task-request.ts';

const never = { signal: new AbortController().signal };
const image = (name: string) => ({ bytes: Buffer.from(name), contentType: 'image/png' });

/** Answers with what it was asked; fails on the image `bad`. */
function models(asked: ModelInput[] = []): Models {
  return {
    describe: (name) => ({ name, model: name, task: 't', version: '1.0.0', labels: [], dimensions: 0, reproducible: true }),
    run: (_, input) => {
      asked.push(input);
      if (input.kind !== 'image') return Promise.resolve({ kind: 'transcript', text: 'said', segments: [] });
      const name = Buffer.from(input.bytes).toString();
      if (name === 'bad') return Promise.reject(modelError('LS_MODEL_RUN', 'bad'));
      if (input.classes !== undefined) return Promise.resolve({ kind: 'zero-shot', classes: input.classes, probabilities: input.classes.map(() => 0.5) });
      return Promise.resolve({ kind: 'caption', text: `${input.text ?? ''}|${name}` });
    },
  };
}

const ask = (request: Partial<TaskRequest>, asked?: ModelInput[]): ReturnType<typeof runTaskRequest> =>
  runTaskRequest({ models: models(asked) }, { task: 'image-captioning', model: 'm', content: image('a'), ...request }, never);

async function captions(request: Partial<TaskRequest>): Promise<readonly string[]> {
  const outcomes = (await ask(request)) as readonly TaskOutcome[];
  return outcomes.map((outcome) => ('result' in outcome ? JSON.stringify(Object.values((outcome.result as { result: object }).result)[0]) : (outcome.error as { code: string }).code));
}

test('one item has one result, with the config that was asked for', async () => {
  const asked: ModelInput[] = [];
  expect(await ask({ config: { num_beams: 2 } }, asked)).toEqual({ kind: 'label', result: { 'labelstream.v1.Caption': { text: '|a' } } });
  expect(asked).toEqual([{ kind: 'image', ...image('a'), config: { num_beams: 2 } }]);
});

test('a list has a list of outcomes in its order, of which one may fail', async () => {
  expect(await captions({ content: [image('a'), image('bad'), image('c')] })).toEqual(['{"text":"|a"}', 'LS_MODEL_RUN', '{"text":"|c"}']);
  expect(await captions({ content: [image('a')] })).toEqual(['{"text":"|a"}']);
});

test('shorter lists are repeated by a whole factor, and no other', async () => {
  const task = 'conditional-image-captioning';
  expect(await captions({ task, text: ['x', 'y'] })).toEqual(['{"text":"x|a"}', '{"text":"y|a"}']);
  const four = [image('a'), image('b'), image('c'), image('d')];
  expect(await captions({ task, content: four, text: ['x', 'y'] })).toEqual(['{"text":"x|a"}', '{"text":"y|b"}', '{"text":"x|c"}', '{"text":"y|d"}']);
  await expect(ask({ task, content: four.slice(0, 3), text: ['x', 'y'] })).rejects.toMatchObject({ code: 'LS_TASK_INPUT', details: { field: 'text' } });
  await expect(ask({ content: [] })).rejects.toMatchObject({ code: 'LS_TASK_INPUT' });
});

test('classes are one list for all, or one for each', async () => {
  const task = 'zero-shot-image-classification';
  expect(await ask({ task, classes: ['p', 'q'] })).toMatchObject({ result: { 'labelstream.v1.ZeroShot': { classes: ['p', 'q'] } } });
  expect(await captions({ task, content: [image('a'), image('b')], classes: [['p'], ['q', 'r']] })).toEqual(['{"classes":["p"],"probabilities":[0.5]}', '{"classes":["q","r"],"probabilities":[0.5,0.5]}']);
});

test.each<[string, Partial<TaskRequest>, string]>([
  ['an unknown task', { task: 'sing' }, 'LS_TASK_UNKNOWN'],
  ['a config that the task does not know', { config: { threshold: 1 } }, 'LS_TASK_CONFIG'],
  ['a config that is none', { config: 'fast' }, 'LS_TASK_CONFIG'],
  ['a text that is not taken', { text: 'a' }, 'LS_TASK_INPUT'],
  ['no text where one is needed', { task: 'conditional-image-captioning' }, 'LS_TASK_INPUT'],
  ['a text of a megabyte', { task: 'conditional-image-captioning', text: 'a'.repeat(1_000_000) }, 'LS_TASK_INPUT'],
  ['classes that are not taken', { classes: ['a'] }, 'LS_TASK_INPUT'],
  ['no classes where some are needed', { task: 'zero-shot-image-classification' }, 'LS_TASK_INPUT'],
  ['more than 1,000 classes', { task: 'object-detection', classes: Array.from({ length: 1_001 }, (_, index) => `c${index}`) }, 'LS_TASK_INPUT'],
  ['more items than may wait for a model', { content: Array.from({ length: 4_097 }, () => image('a')) }, 'LS_TASK_INPUT'],
  ['more lists of classes than items may wait', { task: 'zero-shot-image-classification', classes: Array.from({ length: 4_097 }, () => ['a']) }, 'LS_TASK_INPUT'],
  ['an empty class', { task: 'object-detection', classes: ['a', ''] }, 'LS_TASK_INPUT'],
  ['another kind of answer', { task: 'object-detection' }, 'LS_TASK_OUTPUT'],
])('refuses %s', async (_, request, code) => {
  await expect(ask(request)).rejects.toMatchObject({ code });
});
