/** What a sound is, by its first bytes: a name may be wrong, and a decoder must never guess. */
import { audioError } from '../../../core/errors/audio.ts';
import { id3Length } from './id3-tag.ts';
import { mpegFrameAt } from './mpeg-structure.ts';

export type AudioFormat = 'wav' | 'mpeg' | 'flac' | 'ogg';

const formatNames: Readonly<Record<AudioFormat, string>> = { wav: 'WAV', mpeg: 'MPEG audio (MP3)', flac: 'FLAC', ogg: 'Ogg' };

const contentTypes: Readonly<Record<string, AudioFormat>> = {
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/wave': 'wav',
  'audio/x-pn-wav': 'wav',
  'audio/vnd.wave': 'wav',
  'audio/mpeg': 'mpeg',
  'audio/mp3': 'mpeg',
  'audio/x-mp3': 'mpeg',
  'audio/mpeg3': 'mpeg',
  'audio/x-mpeg': 'mpeg',
  'audio/x-mpeg-3': 'mpeg',
  'audio/mpa': 'mpeg',
  'audio/flac': 'flac',
  'audio/x-flac': 'flac',
  'audio/ogg': 'ogg',
  'audio/x-ogg': 'ogg',
  'application/ogg': 'ogg',
  'audio/opus': 'ogg',
  'audio/vorbis': 'ogg',
  'audio/x-vorbis': 'ogg',
  'audio/x-vorbis+ogg': 'ogg',
  'audio/x-opus+ogg': 'ogg',
};

/** What a producer says who does not know. */
const unknownTypes: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'binary/octet-stream']);

type Probe = { readonly name: string; readonly at: number; readonly text: string };

const probe = (name: string, text: string, at = 0): Probe => ({ name, at, text });

const otherFormats: readonly Probe[] = [
  probe('an MP4 file', 'ftyp', 4),
  probe('a Matroska or WebM file', '\x1a\x45\xdf\xa3'),
  probe('an AIFF file', 'FORM'),
  probe('a Windows Media file', '\x30\x26\xb2\x75'),
  probe('an AMR file', '#!AMR'),
  probe('a Core Audio file', 'caff'),
  probe('a Sun audio file', '.snd'),
  probe('a MIDI file', 'MThd'),
  probe('a WAV file of 64 bits (RF64)', 'RF64'),
  probe('a WAV file of another byte order (RIFX)', 'RIFX'),
  probe('an AVI file', 'AVI ', 8),
  probe('a WebP image', 'WEBP', 8),
  probe('a JPEG image', '\xff\xd8\xff'),
  probe('a PNG image', '\x89PNG'),
  probe('a GIF image', 'GIF8'),
  probe('a PDF document', '%PDF-'),
  probe('a ZIP archive', 'PK\x03\x04'),
  probe('a gzip archive', '\x1f\x8b'),
];

/** Throws LS_AUDIO_EMPTY, LS_AUDIO_FORMAT, LS_AUDIO_CONTENT_TYPE. */
export function audioFormatOf(bytes: Buffer, contentType: string): AudioFormat {
  if (bytes.length === 0) throw audioError('LS_AUDIO_EMPTY', 'the content has no bytes');
  const format = soundSignatureOf(bytes);
  const declared = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (format === undefined) throw audioError('LS_AUDIO_FORMAT', `the content is ${otherFormatOf(bytes)}, not a WAV, MP3, FLAC or Ogg file`, { contentType });
  if (!unknownTypes.has(declared) && contentTypes[declared] !== format) {
    throw audioError('LS_AUDIO_CONTENT_TYPE', `the content is ${formatNames[format]}; its content type says ${JSON.stringify(contentType.slice(0, 100))}`, { contentType });
  }
  return format;
}

/** Undefined: none of those that are read. The first bytes suffice where they go as far as behind a tag in front, and to the second frame of MPEG audio. */
export function soundSignatureOf(bytes: Buffer): AudioFormat | undefined {
  const textAt = (start: number, end: number): string => bytes.toString('latin1', start, end);
  if (textAt(0, 4) === 'RIFF' && textAt(8, 12) === 'WAVE') return 'wav';
  if (textAt(0, 4) === 'OggS') return 'ogg';
  const start = id3Length(bytes, 0);
  if (textAt(start, start + 4) === 'fLaC') return 'flac';
  // Behind a tag nothing else is looked for: what is wrong there is the decoder's to say.
  return start > 0 || beginsWithFrames(bytes) ? 'mpeg' : undefined;
}

/** Eleven bits that are set are not enough of a sign: the next frame has to be where the first one ends. */
function beginsWithFrames(bytes: Buffer): boolean {
  const first = mpegFrameAt(bytes, 0);
  if (first === undefined) return false;
  if (first.length === bytes.length) return true;
  const second = mpegFrameAt(bytes, first.length);
  return second !== undefined && second.kind === first.kind;
}

function otherFormatOf(bytes: Buffer): string {
  const head = bytes.toString('latin1', 0, 1_024);
  const known = otherFormats.find(({ at, text }) => head.startsWith(text, at));
  if (known !== undefined) return known.name;
  // The sync word of AAC in ADTS is that of MPEG audio, with a layer of 0.
  if (bytes.length > 7 && bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xf6) === 0xf0) return 'AAC';
  if (/^\s*(<!doctype html|<html)/i.test(head)) return 'an HTML document';
  return bytes.every((byte) => byte === 0) ? 'nothing but zeros' : 'something unknown';
}
