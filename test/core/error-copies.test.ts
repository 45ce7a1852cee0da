// A plugin may have a copy of the program of its own: its errors are errors of the catalogue all the same.
import { expect, test } from 'vitest';
import { LabelstreamError } from '../../src/core/errors/error.ts';

test('an error of another copy is known by its brand; others are not', async () => {
  const copy: string = '../../src/core/errors/error.ts?copy';
  const other = (await import(copy)) as { readonly LabelstreamError: typeof LabelstreamError };
  expect(other.LabelstreamError).not.toBe(LabelstreamError);
  const description = { cause: 'input', retryable: false, summary: 'a', remedy: 'b' } as const;
  expect(new other.LabelstreamError('LS_TASK_INPUT', description, 'c')).toBeInstanceOf(LabelstreamError);
  expect(new LabelstreamError('LS_TASK_INPUT', description, 'c')).toBeInstanceOf(other.LabelstreamError);
  for (const none of [new Error('c'), { code: 'LS_TASK_INPUT' }, null, 'LS_TASK_INPUT']) expect(none instanceof LabelstreamError).toBe(false);
});
