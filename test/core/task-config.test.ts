import { expect, test } from 'vitest';
import { taskConfigMistakes } from '../../src/core/task-config.ts';

test('what the pipeline of transformers takes and this program does not is told as that', () => {
  const task = 'automated-speech-recognition';
  expect(taskConfigMistakes(task, { chunk_length_s: 30 })).toEqual([expect.stringMatching(/chunk_length_s.*overlapping windows are not offered/)]);
  expect(taskConfigMistakes(task, { language: 'en', return_timestamps: true })).toEqual([]);
  expect(taskConfigMistakes(task, { chunks: 30 })).toEqual(['config: Unrecognized key: "chunks"']);
  expect(taskConfigMistakes('object-detection', { chunk_length_s: 30 })).toEqual(['config: Unrecognized key: "chunk_length_s"']);
});
