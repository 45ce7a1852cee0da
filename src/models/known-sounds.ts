/** The sounds with which an imported model is asked for its known answers: files that somebody names, or one that is made here. */
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { modelError } from '../core/errors/model.ts';
import type { DraftFile } from './model-place.ts';
import { sampleRate } from './preprocessing/audio/audio-decoder.ts';

type KnownSound = { readonly kind: 'audio'; readonly file: string; readonly contentType: string };

const folder = 'known';
const contentTypes: Readonly<Record<string, string>> = { '.wav': 'audio/wav', '.mp3': 'audio/mpeg', '.flac': 'audio/flac', '.ogg': 'audio/ogg' };

/** Rejects with LS_MODEL_IMPORT. */
export async function knownSounds(paths: readonly string[]): Promise<{ readonly files: readonly DraftFile[]; readonly inputs: readonly KnownSound[] }> {
  const sounds = paths.length === 0 ? [{ name: 'chirps.wav', contentType: 'audio/wav', bytes: chirps() }] : await Promise.all(paths.map(readSound));
  return {
    files: sounds.map(({ name, bytes }) => ({ path: `${folder}/${name}`, content: { bytes } })),
    inputs: sounds.map(({ name, contentType }) => ({ kind: 'audio', file: `${folder}/${name}`, contentType })),
  };
}

async function readSound(path: string, index: number): Promise<{ readonly name: string; readonly contentType: string; readonly bytes: Uint8Array }> {
  const contentType = contentTypes[extname(path).toLowerCase()];
  if (contentType === undefined) throw modelError('LS_MODEL_IMPORT', `the known input ${path} is none of ${Object.keys(contentTypes).join(', ')}`, { file: path });
  try {
    return { name: `${index}-${basename(path).replace(/[^A-Za-z0-9._-]+/g, '-')}`, contentType, bytes: await readFile(path) };
  } catch (error) {
    throw modelError('LS_MODEL_IMPORT', `the known input ${path} cannot be read: ${error instanceof Error ? error.message : ''}`, { file: path }, { cause: error });
  }
}

const seconds = 3;

/** Rising tones with pauses between them, as a WAV file: nobody speaks, but whatever reads windows, frequencies or samples in a wrong way hears something else. */
function chirps(): Uint8Array {
  const count = seconds * sampleRate;
  const bytes = Buffer.alloc(44 + 2 * count);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + 2 * count, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(sampleRate, 24);
  bytes.writeUInt32LE(2 * sampleRate, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(2 * count, 40);
  for (let index = 0; index < count; index += 1) {
    const time = index / sampleRate;
    const within = time % 0.75;
    const sample = within < 0.5 ? 12_000 * Math.sin(2 * Math.PI * (200 + 400 * Math.floor(time / 0.75) + 500 * within) * within) : 0;
    bytes.writeInt16LE(Math.round(sample), 44 + 2 * index);
  }
  return bytes;
}
