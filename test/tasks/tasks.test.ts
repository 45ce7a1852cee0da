import { describe, expect, test } from 'vitest';
import { LabelstreamError } from '../../src/core/errors/error.ts';
import type { MediaEvent, RecordEvent, TextEvent } from '../../src/core/events.generated.ts';
import type { ModelDescription } from '../../src/models/model-port.ts';
import { imageClassification } from '../../src/tasks/image-classification.ts';
import { imageFeatures } from '../../src/tasks/image-features.ts';
import { recordPrediction } from '../../src/tasks/record-prediction.ts';
import { taskNamed, tasks } from '../../src/tasks/registry.ts';
import type { Task, TaskEvent } from '../../src/tasks/task.ts';
import { textClassification } from '../../src/tasks/text-classification.ts';
import { textFeatures } from '../../src/tasks/text-features.ts';
import { textLengthMax } from '../../src/tasks/text-input.ts';

const head = { id: 'i', source: 's', occurredAt: 0, tasks: [], attributes: {} };
const textEvent = (text: string): TaskEvent => {
  const event: TextEvent = { ...head, text, language: null, collection: null, deleted: false };
  return { kind: 'text', event };
};
const recordEvent = (values: Record<string, number>): TaskEvent => {
  const event: RecordEvent = { ...head, values };
  return { kind: 'record', event };
};
const mediaEvent = (content = Buffer.from('x')): TaskEvent => {
  const event: MediaEvent = { ...head, contentType: 'image/png', content, collection: null, deleted: false };
  return { kind: 'media', event, content };
};
const description = (overrides: Partial<ModelDescription>): ModelDescription => ({
  name: 'bound',
  model: 'the-model',
  task: 'any',
  version: '1.0.0',
  labels: [],
  dimensions: 0,
  reproducible: true,
  ...overrides,
});

function thrown(action: () => unknown): LabelstreamError {
  try {
    action();
  } catch (error) {
    if (error instanceof LabelstreamError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('registry', () => {
  test('has each task under its own name', () => {
    expect([...tasks.keys()]).toEqual([
      'text-features', 'text-classification', 'image-features', 'image-classification', 'image-captioning', 'conditional-image-captioning',
      'zero-shot-image-classification', 'object-detection', 'automated-speech-recognition', 'record-prediction',
    ]);
    for (const [name, task] of tasks) {
      expect(task.name).toBe(name);
      expect(taskNamed(name)).toBe(task);
      expect(task.accepts.length).toBeGreaterThan(0);
    }
  });

  test('names the tasks there are when one is unknown', () => {
    const error = thrown(() => taskNamed('text-feature'));
    expect(error.code).toBe('LS_TASK_UNKNOWN');
    expect(error.description.cause).toBe('configuration');
    expect(error.message).toContain([...tasks.keys()].join(', '));
  });
});

describe.each<[string, Task]>([
  ['text-features', textFeatures],
  ['text-classification', textClassification],
])('%s: input', (_, task) => {
  test('is the text as it stands', () => {
    expect(task.input(textEvent('  Ünïcode\n'))).toEqual({ kind: 'text', text: '  Ünïcode\n' });
    expect(task.input(textEvent('x'.repeat(textLengthMax)))).toMatchObject({ kind: 'text' });
  });

  test.each([
    ['empty', textEvent('')],
    ['blank', textEvent(' \n\t\u00a0 ')],
    ['too long', textEvent('x'.repeat(textLengthMax + 1))],
    ['of another kind', recordEvent({ a: 1 })],
    ['of another kind still', mediaEvent()],
  ])('refuses an event that is %s', (__, event) => {
    const error = thrown(() => task.input(event));
    expect(error.code).toBe('LS_TASK_INPUT');
    expect(error.description.cause).toBe('input');
    expect(error.details['field']).toBe('text');
    expect(error.message).toContain('text');
  });
});

describe.each<[string, Task]>([
  ['image-features', imageFeatures],
  ['image-classification', imageClassification],
])('%s: input', (_, task) => {
  test('is the content with what its producer calls it', () => {
    expect(task.input(mediaEvent())).toEqual({ kind: 'image', bytes: Buffer.from('x'), contentType: 'image/png' });
    expect(task.accepts).toEqual(['media']);
  });

  test.each([
    ['of another kind', recordEvent({ a: 1 })],
    ['of another kind still', textEvent('a')],
  ])('refuses an event that is %s', (__, event) => {
    const error = thrown(() => task.input(event));
    expect(error.code).toBe('LS_TASK_INPUT');
    expect(error.details['field']).toBe('content');
    expect(error.message).toContain(task.name);
  });
});

describe.each<[string, Task]>([
  ['text-features', textFeatures],
  ['image-features', imageFeatures],
])('%s: output', (name, task) => {
  test('is the vector itself', () => {
    const vector = Float32Array.from([0.1, -0, 3]);
    const result = task.output({ kind: 'vector', vector }, description({ dimensions: 3 }));
    expect(result).toEqual({ kind: 'features', vector });
  });

  test.each([
    ['scores', { kind: 'scores', scores: Float32Array.of(1) } as const],
    ['another length', { kind: 'vector', vector: Float32Array.of(1, 2) } as const],
  ])('refuses %s', (__, output) => {
    const error = thrown(() => task.output(output, description({ dimensions: 3 })));
    expect(error.code).toBe('LS_TASK_OUTPUT');
    expect(error.description.cause).not.toBe('input');
    expect(error.message).toContain(name);
  });
});

describe.each<[string, Task]>([
  ['text-classification', textClassification],
  ['image-classification', imageClassification],
])('%s: output', (_, task) => {
  test('has the highest score first, ties in the order of the labels', () => {
    const output = { kind: 'scores', scores: Float32Array.of(0.125, 0.5, 0.125, 0.25) } as const;
    const result = task.output(output, description({ labels: ['d', 'c', 'b', 'a'] }));
    expect(result).toEqual({
      kind: 'label',
      result: {
        'labelstream.v1.Classification': {
          labels: [
            { label: 'c', score: 0.5 },
            { label: 'a', score: 0.25 },
            { label: 'd', score: 0.125 },
            { label: 'b', score: 0.125 },
          ],
        },
      },
    });
  });
});

describe('record-prediction', () => {
  test('takes the values of a record', () => {
    expect(recordPrediction.input(recordEvent({ a: 1, b: -0.5 }))).toEqual({ kind: 'values', values: { a: 1, b: -0.5 } });
  });

  test.each([
    ['NaN', recordEvent({ a: 1, b: Number.NaN }), 'b'],
    ['infinite', recordEvent({ a: Number.NEGATIVE_INFINITY, b: 1 }), 'a'],
    ['empty', recordEvent({}), 'values'],
    ['a text', textEvent('1'), 'values'],
  ])('refuses a record that is %s, and names the field', (_, event, field) => {
    const error = thrown(() => recordPrediction.input(event));
    expect(error.code).toBe('LS_TASK_INPUT');
    expect(error.details['field']).toBe(field);
    expect(error.message).toContain(field);
  });

  test('predicts the most probable label and keeps the order of the model', () => {
    const output = { kind: 'scores', scores: Float32Array.of(0.25, 0.375, 0.375) } as const;
    const result = recordPrediction.output(output, description({ labels: ['x', 'y', 'z'] }));
    expect(result).toEqual({
      kind: 'label',
      result: {
        'labelstream.v1.Prediction': {
          label: 'y',
          value: null,
          probabilities: [
            { label: 'x', score: 0.25 },
            { label: 'y', score: 0.375 },
            { label: 'z', score: 0.375 },
          ],
        },
      },
    });
  });
});

describe.each<[string, Task]>([
  ['text-classification', textClassification],
  ['image-classification', imageClassification],
  ['record-prediction', recordPrediction],
])('%s: output', (_, task) => {
  test.each([
    ['a vector', { kind: 'vector', vector: Float32Array.of(1, 2) } as const],
    ['too few scores', { kind: 'scores', scores: Float32Array.of(1) } as const],
    ['too many scores', { kind: 'scores', scores: Float32Array.of(1, 2, 3) } as const],
  ])('refuses %s', (__, output) => {
    expect(thrown(() => task.output(output, description({ labels: ['a', 'b'] }))).code).toBe('LS_TASK_OUTPUT');
  });
});
