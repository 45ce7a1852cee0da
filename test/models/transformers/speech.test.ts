// Transcripts are the very texts that Python's transformers write: with and without timestamps, in two languages, of 65 s window by window.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelAnswer, ModelInput } from '../../../src/models/model-port.ts';
import { decodeAudio } from '../../../src/models/preprocessing/audio/audio-decoder.ts';
import { logMelSpectrogram } from '../../../src/models/preprocessing/audio/log-mel.ts';
import type { Transformer } from '../../../src/models/transformers/open-transformer.ts';
import { readWindow } from '../../../src/models/transformers/whisper-timestamps.ts';
import { readSound, wav } from '../preprocessing/audio/sound-files.ts';
import { answerTo, codeOf, golden, openTiny, readInput, type SpeechGolden } from './tiny-models.ts';

const { clips, logMel, cases, long, detectedLanguages } = await golden<SpeechGolden>('whisper');

const samplesOf = (file: Buffer): Buffer => file.subarray(44);
const sound = (bytes: Uint8Array, config: NonNullable<Extract<ModelInput, { kind: 'audio' }>['config']> = {}): ModelInput => ({ kind: 'audio', bytes, contentType: 'audio/wav', config });
const textOf = (answer: ModelAnswer): string => (answer.kind === 'transcript' ? answer.text : '');

describe('whisper', () => {
  let transformer: Transformer;
  beforeAll(async () => {
    transformer = await openTiny('whisper');
  });
  afterAll(() => transformer.release());

  test.each(cases.map(({ parameters, texts }) => [JSON.stringify(parameters), parameters, texts] as const))('%s: as in Python', async (_, parameters, texts) => {
    for (const [index, clip] of clips.entries()) {
      const answer = await answerTo(transformer, sound(await readInput(clip), parameters));
      expect(textOf(answer), clip).toBe(texts[index]!.trim());
      expect(answer.kind === 'transcript' && answer.segments.length > 0, clip).toBe(parameters['return_timestamps']);
    }
  });

  test('65 s: windows, times and text as in Python', async () => {
    const joined = wav(Buffer.concat(await Promise.all(long.joined.map(async (clip) => samplesOf(await readInput(clip))))));
    const answer = await answerTo(transformer, sound(joined, long.sequential.parameters));
    if (answer.kind !== 'transcript') throw new Error(answer.kind);
    expect(answer.text).toBe(long.sequential.text.trim());
    expect(answer.segments.map(({ startSeconds, endSeconds }) => [startSeconds, endSeconds])).toEqual(
      long.sequential.segments.map(({ start, end }) => [expect.closeTo(start, 6) as number, expect.closeTo(end, 6) as number]),
    );
    // What is longer than a window has its times whether they are asked for or not.
    expect(await answerTo(transformer, sound(joined, { ...long.sequential.parameters, return_timestamps: false }))).toEqual(answer);
  });

  test('the language is told by the model where nobody else tells it', async () => {
    const base = { max_new_tokens: 8 } as const;
    for (const [index, clip] of clips.entries()) {
      const language = detectedLanguages[index]!.slice(2, -2);
      const bytes = await readInput(clip);
      expect(await answerTo(transformer, sound(bytes, base)), clip).toEqual(await answerTo(transformer, sound(bytes, { ...base, language })));
    }
  });

  test('sound, language, task and length each change the answer', async () => {
    const [first, second] = [await readInput(clips[0]!), await readInput(clips[2]!)];
    const base = { language: 'en', max_new_tokens: 12 } as const;
    const answers = await Promise.all([
      answerTo(transformer, sound(first, base)), answerTo(transformer, sound(second, base)), answerTo(transformer, sound(first, { ...base, language: 'fr', task: 'translate' })),
      answerTo(transformer, sound(first, { ...base, max_new_tokens: 3 })), answerTo(transformer, sound(first, { ...base, return_timestamps: true })),
    ]);
    expect(new Set(answers.map(textOf)).size).toBe(answers.length);
  });

  test('what is no sound, and what the model does not do, has a code of its own', async () => {
    const file = await readInput(clips[0]!);
    const cases = [
      [Buffer.alloc(0), 'LS_AUDIO_EMPTY'], [wav(Buffer.alloc(0)), 'LS_AUDIO_EMPTY'], [Buffer.from('no sound at all'), 'LS_AUDIO_FORMAT'],
      [wav(samplesOf(file), { coding: 7, bits: 8 }), 'LS_AUDIO_FORMAT'], [await readSound('mono.mp3'), 'LS_AUDIO_CONTENT_TYPE'],
      [file.subarray(0, 1_000), 'LS_AUDIO_CORRUPT'], [file.subarray(0, 30), 'LS_AUDIO_CORRUPT'], [wav(Buffer.alloc(3)), 'LS_AUDIO_CORRUPT'],
    ] as const;
    for (const [bytes, code] of cases) expect(await codeOf(transformer, sound(bytes))).toBe(code);
    expect(await codeOf(transformer, sound(file, { language: 'qq' }))).toBe('LS_MODEL_REQUEST');
    expect(await codeOf(transformer, { kind: 'image', bytes: file, contentType: 'image/png' })).toBe('LS_MODEL_INPUT');
    await expect(decodeAudio(file, 'audio/wav', { secondsMax: 1, decodedSamplesMax: 1e6 })).rejects.toMatchObject({ code: 'LS_AUDIO_TOO_LONG' });
  });
});

test('spectrograms are those of Python', async () => {
  for (const { clip, mean, every4thBinOfEvery100thFrame } of logMel) {
    const samples = new Float32Array(480_000);
    samples.set(await decodeAudio(await readInput(clip), 'audio/wav', { secondsMax: 30, decodedSamplesMax: 1e6 }));
    const { values, frameCount } = logMelSpectrogram(samples, 80);
    expect(frameCount).toBe(3_000);
    expect(Math.abs(values.reduce((total, value) => total + value, 0) / values.length - mean)).toBeLessThan(1e-4);
    const isByBand = every4thBinOfEvery100thFrame.length === 20;
    for (const [outer, row] of every4thBinOfEvery100thFrame.entries()) {
      for (const [inner, value] of row.entries()) {
        const [band, frame] = isByBand ? [4 * outer, 100 * inner] : [4 * inner, 100 * outer];
        expect(Math.abs(values[band * frameCount + frame]! - value), `${clip} ${band} ${frame}`).toBeLessThan(1e-3);
      }
    }
  }
});

describe('the timestamps of a window, at 506 for 0.00 s', () => {
  test.each([
    ['none', [1, 2], { segments: [{ start: 0, end: 1_000, tokens: [1, 2] }], frames: 2_000 }],
    ['one at the beginning', [516, 1], { segments: [{ start: 0, end: 10, tokens: [516, 1] }], frames: 2_000 }],
    ['one pair: what is behind it is read again', [506, 1, 526, 526, 2], { segments: [{ start: 0, end: 20, tokens: [506, 1, 526, 526] }], frames: 40 }],
    ['one pair, and one alone at the end: nothing is said behind it', [506, 1, 526, 526, 2, 556], {
      segments: [{ start: 0, end: 20, tokens: [506, 1, 526] }, { start: 20, end: 50, tokens: [526, 2, 556] }], frames: 2_000,
    }],
    ['two pairs', [506, 1, 526, 526, 2, 556, 560], {
      segments: [{ start: 0, end: 20, tokens: [506, 1, 526] }, { start: 20, end: 50, tokens: [526, 2, 556, 560] }], frames: 100,
    }],
  ])('%s', (_, tokens, expected) => {
    expect(readWindow(tokens, 2_000, 506)).toEqual(expected);
  });
});
