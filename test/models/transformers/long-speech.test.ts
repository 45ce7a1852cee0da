// Sounds of all lengths come to the texts and times of Python's generate: shorter than a window, one window, several of them, and silence.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Transformer } from '../../../src/models/transformers/open-transformer.ts';
import { readWindow, secondsPerTimestamp } from '../../../src/models/transformers/whisper-timestamps.ts';
import { wav } from '../preprocessing/audio/sound-files.ts';
import { answerTo, golden, openTiny, type SpeechGolden } from './tiny-models.ts';

const { byLength, readings } = await golden<SpeechGolden>('whisper');

/** As inputs.py makes it: 16-bit samples of notes over a second voice. */
function tune(samples: number): Buffer {
  const notes = [262, 330, 392, 523, 440, 349, 294, 494, 247, 370];
  const numbers = Int16Array.from({ length: samples }, (_, number) => {
    const second = number / 16_000;
    const note = notes[Math.floor(number / 7_000) % 10]!;
    const high = 300 + 40 * Math.floor(number / 48_000);
    return Math.floor((0.4 * Math.sin(2 * Math.PI * note * second) * Math.exp(-(number % 7_000) / 2_500) + 0.1 * Math.sin(2 * Math.PI * high * second)) * 32_767 + 0.5);
  });
  return Buffer.from(numbers.buffer);
}

describe('whisper', () => {
  let transformer: Transformer;
  beforeAll(async () => {
    transformer = await openTiny('whisper');
  });
  afterAll(() => transformer.release());

  test.each(byLength.map((expected) => [`${expected.samples} samples${expected.isSilent ? ' of silence' : ''}, timestamps: ${expected.parameters['return_timestamps']}`, expected] as const))('%s: as in Python', { timeout: 120_000 }, async (_, expected) => {
    const bytes = expected.isSilent ? Buffer.alloc(2 * expected.samples) : tune(expected.samples);
    const answer = await answerTo(transformer, { kind: 'audio', bytes: wav(bytes), contentType: 'audio/wav', config: expected.parameters });
    if (answer.kind !== 'transcript') throw new Error(answer.kind);
    expect(answer.text).toBe(expected.text.trim());
    const told = expected.parameters['return_timestamps'] === true ? expected.segments : [];
    expect(answer.segments.map(({ startSeconds, endSeconds }) => [startSeconds, endSeconds])).toEqual(
      told.map(({ start, end }) => [expect.closeTo(start, 6) as number, expect.closeTo(end, 6) as number]),
    );
  });
});

test('windows are divided as transformers divides them', () => {
  const { firstTimestamp, cases: windows } = readings;
  expect(windows.length).toBeGreaterThan(100);
  for (const { tokens, frames, segments, onward } of windows) {
    const reading = readWindow(tokens, frames, firstTimestamp);
    const told = reading.segments.map((segment) => ({ ...segment, start: segment.start * secondsPerTimestamp, end: segment.end * secondsPerTimestamp }));
    const expected = segments.map((segment) => ({ ...segment, start: expect.closeTo(segment.start, 6) as number, end: expect.closeTo(segment.end, 6) as number }));
    expect({ segments: told, frames: reading.frames }, JSON.stringify({ tokens, frames })).toEqual({ segments: expected, frames: onward });
  }
});
