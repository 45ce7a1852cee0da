import { expect, test } from 'vitest';
import { createFailureBlame } from '../../src/models/failure-blame.ts';
import type { ItemFailure, ItemOutcome } from '../../src/models/inference.ts';

const good: ItemOutcome = { output: Float32Array.of(1) };
const failed = (code: ItemFailure['code']): ItemOutcome => ({ failure: { code, message: 'as it was', details: { index: 3 } } });
const notFinite = failed('LS_MODEL_OUTPUT_NOT_FINITE');

/** A model whose known answers are as they are set, and how often they were asked for. */
function model() {
  const state = { mistakes: [] as string[], asked: 0, nowMs: 5_000 };
  const answers = (): Promise<string[]> => {
    state.asked += 1;
    return Promise.resolve(state.mistakes);
  };
  return { state, blame: createFailureBlame(answers, () => state.nowMs) };
}

test('where the known answers pass, every failure is what it seems', async () => {
  const { state, blame } = model();
  const outcomes = [good, notFinite, failed('LS_MODEL_RUN'), failed('LS_MODEL_INPUT'), failed('LS_MODEL_OUTPUT')];
  expect(await blame(outcomes)).toEqual(outcomes);
  expect(state.asked).toBe(1);
});

test('where they do not, the model failed; but never on an item that it did not compute', async () => {
  const { state, blame } = model();
  state.mistakes = ['the first mistake', 'the second'];
  const message = 'as it was; the model does not give its known answers any more: the first mistake';
  const blamed = { failure: { code: 'LS_MODEL_OUTPUT', message, details: { index: 3 } } };
  expect(await blame([good, notFinite, failed('LS_MODEL_RUN'), failed('LS_IMAGE_DECODER'), failed('LS_MODEL_INPUT')])).toEqual([good, blamed, blamed, blamed, failed('LS_MODEL_INPUT')]);
  expect(state.asked).toBe(1);
});

test('nothing is asked for where nothing is in doubt', async () => {
  const { state, blame } = model();
  const outcomes = [good, failed('LS_MODEL_INPUT'), failed('LS_MODEL_OUTPUT')];
  expect(await blame(outcomes)).toEqual(outcomes);
  expect(state.asked).toBe(0);
});

test('a proof holds for a second; a mistake is looked for again at once', async () => {
  const { state, blame } = model();
  for (const [afterMs, asked] of [[0, 1], [999, 1], [1, 2], [500, 2]] as const) {
    state.nowMs += afterMs;
    await blame([notFinite]);
    expect(state.asked, `after ${afterMs} ms`).toBe(asked);
  }
  state.nowMs += 500;
  state.mistakes = ['a mistake'];
  for (const asked of [3, 4]) {
    expect(await blame([notFinite])).toMatchObject([{ failure: { code: 'LS_MODEL_OUTPUT' } }]);
    expect(state.asked).toBe(asked);
  }
  state.mistakes = [];
  expect(await blame([notFinite])).toEqual([notFinite]);
});
