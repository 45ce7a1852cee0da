/** What `publish images` and `publish sounds` take, each told by its first bytes or, in folders, by its name. */
import { id3Length } from '../../models/preprocessing/audio/id3-tag.ts';
import { soundSignatureOf, type AudioFormat } from '../../models/preprocessing/audio/audio-format.ts';
import { signatureOf } from '../../models/preprocessing/image/image-format.ts';

export type MediaKind = {
  readonly name: 'image' | 'sound';
  /** The formats and what they are, for sentences such as `this is no ...`. */
  readonly described: string;
  readonly formats: string;
  /** How many bytes tell what a file is, of one that begins so. */
  readonly headBytes: (beginning: Buffer) => number;
  /** Undefined: nothing of this kind. */
  readonly contentTypeOf: (head: Buffer) => string | undefined;
  readonly typesOfNames: Readonly<Record<string, string>>;
};

export const imageKind: MediaKind = {
  name: 'image',
  described: 'JPEG, PNG or WebP image',
  formats: 'JPEG, PNG and WebP images',
  headBytes: () => 16,
  contentTypeOf: (head) => {
    const format = signatureOf(head);
    return format === undefined ? undefined : `image/${format}`;
  },
  typesOfNames: { '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg', '.png': 'image/png', '.webp': 'image/webp' },
};

/** The first two frames of MPEG audio. */
const framesBytes = 16 * 1024;
/** Of a tag, in which pictures may lie; behind it stands whether the sound is MPEG audio or FLAC. */
const tagBytesMax = 64 * 1024 * 1024;

const soundTypes: Readonly<Record<AudioFormat, string>> = { wav: 'audio/wav', mpeg: 'audio/mpeg', flac: 'audio/flac', ogg: 'audio/ogg' };

export const soundKind: MediaKind = {
  name: 'sound',
  described: 'WAV, MP3, FLAC or Ogg file',
  formats: 'WAV, MP3, FLAC and Ogg files',
  headBytes: (beginning) => Math.max(framesBytes, Math.min(tagBytesMax, id3Length(beginning, 0) + 4)),
  contentTypeOf: (head) => {
    const format = soundSignatureOf(head);
    return format === undefined ? undefined : soundTypes[format];
  },
  typesOfNames: { '.wav': soundTypes.wav, '.mp3': soundTypes.mpeg, '.flac': soundTypes.flac, '.ogg': soundTypes.ogg, '.oga': soundTypes.ogg, '.opus': soundTypes.ogg },
};
