// Whatever is done to the bytes of a sound, it is decoded to finite samples or refused with a code of its own, within its limits; nothing else happens.
import { expect, test } from 'vitest';
import { decodeAudio } from '../../../../src/models/preprocessing/audio/audio-decoder.ts';
import { oggLinks, oggPages } from '../../../../src/models/preprocessing/audio/ogg-structure.ts';
import { seededRandom, type SeededRandom } from '../../../codec/seeded-random.ts';
import { oggPage, readGoldens, readSound } from './sound-files.ts';

const rounds = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 40 : 5;
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 2 ** 31);
const limits = { secondsMax: 20, decodedSamplesMax: 4_000_000 };
const { sounds } = await readGoldens();

async function outcomeOf(bytes: Buffer): Promise<string> {
  return decodeAudio(bytes, '', limits).then(
    (samples) => (samples.length > 0 && samples.length <= limits.secondsMax * 16_000 && samples.every(Number.isFinite) ? 'decoded' : 'not finite'),
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
}

const damages: readonly ((bytes: Buffer, random: SeededRandom) => Buffer)[] = [
  // A few bytes anywhere; near the beginning; cut off; without a piece in the middle; with a piece twice.
  (bytes, random) => changed(bytes, random, bytes.length),
  (bytes, random) => changed(bytes, random, Math.min(bytes.length, 300)),
  (bytes, random) => bytes.subarray(0, 1 + random.below(bytes.length)),
  (bytes, random) => Buffer.concat([bytes.subarray(0, random.below(bytes.length)), bytes.subarray(random.below(bytes.length))]),
];

function changed(bytes: Buffer, random: SeededRandom, end: number): Buffer {
  const copy = Buffer.from(bytes);
  for (let count = 1 + random.below(6); count > 0; count -= 1) copy[random.below(end)] = random.below(256);
  return copy;
}

test.each(Object.keys(sounds))('%s', { timeout: 600_000 }, async (name) => {
  const random = seededRandom(seed);
  const file = await readSound(name);
  for (let round = 0; round < rounds * damages.length; round += 1) {
    const bytes = damages[round % damages.length]!(file, random);
    expect(await outcomeOf(bytes), `seed ${seed}, round ${round}`).toMatch(/^(decoded|LS_AUDIO_[A-Z_]+)$/);
  }
});

test.each(['mono.vorbis.ogg', 'stereo.vorbis.ogg', 'mono.opus.ogg'])('%s: damaged packets in pages that are sound', { timeout: 600_000 }, async (name) => {
  const random = seededRandom(seed);
  const file = await readSound(name);
  const [link] = oggLinks(file);
  const pages = [...oggPages(file, link!)];
  const found = new Set<string>();
  for (let round = 0; round < rounds * 10; round += 1) {
    const target = random.below(pages.length);
    const damaged = pages.map(({ packets, granule, isLast }, sequence) => {
      const flags = (sequence === 0 ? 2 : 0) + (isLast ? 4 : 0);
      const written = sequence === target ? packets.map((packet) => (random.below(3) === 0 && packet.length > 0 ? changed(packet, random, packet.length) : packet)) : packets;
      return oggPage(written, { sequence, granule: granule ?? -1n, flags });
    });
    found.add(await outcomeOf(Buffer.concat(damaged)));
  }
  for (const outcome of found) expect(outcome, `seed ${seed}`).toMatch(/^(decoded|LS_AUDIO_[A-Z_]+)$/);
  expect(found.size).toBeGreaterThan(1);
});
