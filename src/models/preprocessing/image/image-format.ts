/** What an image is, by its first bytes: a name may be wrong, and a decoder must never guess. */
import { imageError } from '../../../core/errors/image.ts';

export type ImageFormat = 'jpeg' | 'png' | 'webp';

const contentTypes: Readonly<Record<string, ImageFormat>> = {
  'image/jpeg': 'jpeg',
  'image/jpg': 'jpeg',
  'image/pjpeg': 'jpeg',
  'image/png': 'png',
  'image/x-png': 'png',
  'image/webp': 'webp',
};

/** What a producer says who does not know. */
const unknownTypes: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'binary/octet-stream']);

type Probe = { readonly name: string; readonly at: number; readonly text: string };

const probe = (name: string, text: string, at = 0): Probe => ({ name, at, text });

const otherFormats: readonly Probe[] = [
  probe('a GIF image', 'GIF8'),
  probe('a TIFF image', 'II*\0'),
  probe('a TIFF image', 'MM\0*'),
  probe('a TIFF image', 'II+\0'),
  probe('a TIFF image', 'MM\0+'),
  probe('a BMP image', 'BM'),
  probe('an icon', '\0\0\x01\0'),
  probe('a Photoshop document', '8BPS'),
  probe('a JPEG XL image', '\xff\x0a'),
  probe('a JPEG XL image', '\0\0\0\x0cJXL '),
  probe('a JPEG 2000 image', '\0\0\0\x0cjP  '),
  probe('an AVIF image', 'ftypavi', 4),
  probe('a HEIC image', 'ftyphei', 4),
  probe('a HEIC image', 'ftyphev', 4),
  probe('a HEIC image', 'ftypmif1', 4),
  probe('a HEIC image', 'ftypmsf1', 4),
  probe('a video', 'ftyp', 4),
  probe('a WAV file', 'WAVE', 8),
  probe('an Ogg file', 'OggS'),
  probe('a FLAC file', 'fLaC'),
  probe('an MP3 file', 'ID3'),
  probe('a PDF document', '%PDF-'),
  probe('a ZIP archive', 'PK\x03\x04'),
  probe('a gzip archive', '\x1f\x8b'),
  probe('a program', '\x7fELF'),
  probe('a program', 'MZ'),
];

/** Throws LS_IMAGE_EMPTY, LS_IMAGE_FORMAT, LS_IMAGE_CONTENT_TYPE. */
export function imageFormatOf(bytes: Buffer, contentType: string): ImageFormat {
  if (bytes.length === 0) throw imageError('LS_IMAGE_EMPTY', 'the image has no bytes');
  const format = signatureOf(bytes);
  const declared = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (format === undefined) throw imageError('LS_IMAGE_FORMAT', `the content is ${otherFormatOf(bytes)}, not a JPEG, PNG or WebP image`, { contentType });
  if (!unknownTypes.has(declared) && contentTypes[declared] !== format) {
    throw imageError('LS_IMAGE_CONTENT_TYPE', `the content is image/${format}; its content type says ${JSON.stringify(contentType.slice(0, 100))}`, { contentType });
  }
  return format;
}

/** Undefined: none of those that are read. */
export function signatureOf(bytes: Buffer): ImageFormat | undefined {
  if (bytes.toString('latin1', 0, 3) === '\xff\xd8\xff') return 'jpeg';
  if (bytes.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP') return 'webp';
  return undefined;
}

function otherFormatOf(bytes: Buffer): string {
  const head = bytes.toString('latin1', 0, 1_024);
  const known = otherFormats.find(({ at, text }) => head.startsWith(text, at));
  if (known !== undefined) return known.name;
  if (/<svg[\s>]/i.test(head)) return 'an SVG document';
  if (/^\s*(<!doctype html|<html)/i.test(head)) return 'an HTML document';
  if (/^(\xef\xbb\xbf)?\s*<\?xml/.test(head)) return 'an XML document';
  return bytes.every((byte) => byte === 0) ? 'nothing but zeros' : 'something unknown';
}
