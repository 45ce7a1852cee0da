// Real recordings: as many samples as Python counts, an answer of the stream to each, and another spectrogram for another sound.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { samples as sampleData } from '../../examples/example.ts';
import { decodeAudio } from '../../src/models/preprocessing/audio/audio-decoder.ts';
import { decodeWav } from '../../src/models/preprocessing/audio/wav.ts';
import { logMelSpectrogram } from '../../src/models/preprocessing/audio/log-mel.ts';
import { fileThere, testWith } from '../requirements.ts';
import { mediaEvent } from '../service/media-events.ts';
import { hear } from '../service/sounds.ts';

/** What wave of Python says of each. */
const recordings = {
  'gettysburg.wav': { rate: 22_050, channels: 1, samples: 387_574 },
  'self_destruct_button.wav': { rate: 11_025, channels: 1, samples: 60_099 },
  'speech_command_test.wav': { rate: 24_000, channels: 1, samples: 21_312 },
} as const;

const fileOf = (name: string): string => join(sampleData, 'audio', name);
const needs = Object.fromEntries(Object.keys(recordings).map((name) => [fileOf(name), fileThere(fileOf(name))]));
const limits = { secondsMax: 60, decodedSamplesMax: 10_000_000 };

testWith(needs, 'recordings are decoded whole', {}, async () => {
  for (const [name, { rate, channels, samples }] of Object.entries(recordings)) {
    const bytes = await readFile(fileOf(name));
    let count = 0;
    for (const chunk of decodeWav(bytes)) {
      expect([chunk.rate, chunk.channels.length], name).toEqual([rate, channels]);
      count += chunk.channels[0]!.length;
    }
    expect(count, name).toBe(samples);
    const heard = await decodeAudio(bytes, 'audio/wav', limits);
    expect(heard, name).toHaveLength(Math.ceil((samples * 16_000) / rate));
    expect(heard.some((sample) => Math.abs(sample) > 0.1), name).toBe(true);
  }
});

testWith(needs, 'the stream answers recordings, each another way', { timeout: 240_000 }, async () => {
  const { texts, letters } = await hear(await Promise.all(Object.keys(recordings).map(async (name) => mediaEvent(name, 'audio/wav', await readFile(fileOf(name))))));
  expect(letters).toEqual([]);
  expect([...texts.keys()].sort()).toEqual(Object.keys(recordings).sort());
  expect(new Set(texts.values()).size).toBe(texts.size);
});

testWith(needs, 'a change of the sound changes what the model reads', {}, async () => {
  const samples = await decodeAudio(await readFile(fileOf('speech_command_test.wav')), 'audio/wav', limits);
  const before = logMelSpectrogram(samples, 80).values;
  const place = Math.floor(samples.length / 2);
  const changed = samples.map((sample, index) => (Math.abs(index - place) < 200 ? -sample + 0.01 : sample));
  const after = logMelSpectrogram(changed, 80).values;
  expect(before.every(Number.isFinite)).toBe(true);
  const frames = before.length / 80;
  const different = new Set([...before].flatMap((value, index) => (value === after[index] ? [] : [index % frames])));
  expect(different.size).toBeGreaterThan(1);
  expect(different.size).toBeLessThan(10);
});
