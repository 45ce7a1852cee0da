/** Through a task and a real model: every part of an event that should matter does, and nothing else does. */
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RecordEvent, TextEvent } from '../../src/core/events.generated.ts';
import { startModelServer, type ModelServer } from '../../src/models/model-server.ts';
import { taskNamed } from '../../src/tasks/registry.ts';
import type { TaskEvent, TaskResult } from '../../src/tasks/task.ts';
import { encoderDirectory, testClock } from '../models/model-directory.ts';

const never = { signal: new AbortController().signal };

async function serve(directory: string): Promise<ModelServer> {
  const server = await startModelServer({ models: [{ name: 'model', directory }], clock: testClock, workerCount: 1 });
  onTestFinished(() => server.close());
  return server;
}

async function resultOf(server: ModelServer, event: TaskEvent): Promise<TaskResult> {
  const description = server.describe('model');
  const task = taskNamed(description.task);
  return task.output(await server.run('model', task.input(event), never), description);
}

const banknote = join(import.meta.dirname, '../../models/banknote-classifier');

describe('record-prediction with the bundled banknote classifier', () => {
  const values = { variance: 0.4, skewness: 0.9, curtosis: 0.6, entropy: -1.3 };
  const record = (changes: Readonly<Record<string, number>>, id = 'a'): TaskEvent => {
    const event: RecordEvent = { id, source: 'test', occurredAt: 1, values: { ...values, ...changes }, tasks: [], attributes: {} };
    return { kind: 'record', event };
  };

  test.each(Object.keys(values))('%s changes the result', async (field) => {
    const server = await serve(banknote);
    const base = await resultOf(server, record({}));
    expect(await resultOf(server, record({ [field]: 0.5 }))).not.toEqual(base);
  });

  test('the id and a field that the model does not know change nothing', async () => {
    const server = await serve(banknote);
    expect(await resultOf(server, record({ unknown: 5 }, 'b'))).toEqual(await resultOf(server, record({})));
  });
});

describe('text-features', () => {
  const text = (value: string, attributes = {}): TaskEvent => {
    const event: TextEvent = { id: 'a', source: 'test', occurredAt: 1, text: value, language: null, tasks: [], collection: null, attributes, deleted: false };
    return { kind: 'text', event };
  };

  test('each word changes the vector; attributes do not', async () => {
    const server = await serve(await encoderDirectory());
    const words = ['seven', 'brown', 'foxes', 'sleep'];
    const base = await resultOf(server, text(words.join(' ')));
    for (const index of words.keys()) {
      expect(await resultOf(server, text(words.with(index, 'another').join(' '))), words[index]).not.toEqual(base);
    }
    expect(await resultOf(server, text(words.join(' '), { colour: 'red' }))).toEqual(base);
  });
});
