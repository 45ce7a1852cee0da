// Sounds of all formats through the real program: one sound gives one transcript, whatever it is stored as; what is wrong with one item stays with it.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { floatWav, contentTypeOf, oggPage, opusHead, readSound, wav } from '../models/preprocessing/audio/sound-files.ts';
import { mediaEvent } from './media-events.ts';
import { hear } from './sounds.ts';

test('WAV, MP3, FLAC and Ogg', { timeout: 240_000 }, async () => {
  const names = (await readdir(join(import.meta.dirname, '../models/preprocessing/audio/sounds'))).filter((name) => contentTypeOf(name) !== '');
  expect(names.length).toBeGreaterThan(20);
  const good = await Promise.all(names.map(async (name) => mediaEvent(name, contentTypeOf(name), await readSound(name))));
  const flac = await readSound('integers-16.flac');
  const cutOff = flac.subarray(0, -100);
  const bad = [
    mediaEvent('cut-off', 'audio/flac', cutOff),
    mediaEvent('other', 'audio/mpeg', flac),
    mediaEvent('none', 'audio/wav', floatWav([0, Number.NaN])),
    mediaEvent('empty', 'audio/wav', wav(Buffer.alloc(0))),
    mediaEvent('headless', 'audio/ogg', oggPage([opusHead()], { sequence: 0, granule: 0n, flags: 2 })),
    mediaEvent('picture', 'audio/wav', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')),
  ];
  const { texts, letters } = await hear([...good, ...bad]);
  expect([...texts.keys()].sort()).toEqual([...names].sort());
  expect(letters).toEqual([
    'cut-off LS_AUDIO_CORRUPT', 'empty LS_AUDIO_EMPTY', 'headless LS_AUDIO_CORRUPT', 'none LS_AUDIO_NOT_FINITE', 'other LS_AUDIO_CONTENT_TYPE', 'picture LS_AUDIO_FORMAT',
  ]);
});
