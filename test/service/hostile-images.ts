/** Images that somebody made to do harm, or by mistake; each with the code that its dead letter has to name. All are made here, none is large. */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { colourImage } from '../models/image-models.ts';
import { chunk } from '../models/preprocessing/image-bytes.ts';

export type HostileImage = { readonly name: string; readonly bytes: Buffer; readonly contentType: string; readonly code: string };

const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

function header(width: number, height: number, bits: number, colours: number): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([bits, colours], 8);
  return chunk('IHDR', data);
}

function png(...chunks: readonly Buffer[]): Buffer {
  return Buffer.concat([pngSignature, ...chunks, chunk('IEND')]);
}

/** Chunks behind the header of a PNG. */
function withChunks(whole: Buffer, ...chunks: readonly Buffer[]): Buffer {
  const headerEnd = 8 + 25;
  return Buffer.concat([whole.subarray(0, headerEnd), ...chunks, whole.subarray(headerEnd)]);
}

const zeros = (bytes: number): Buffer => deflateSync(Buffer.alloc(bytes), { level: 9 });

/** What only its header says: a JPEG of 65,500 x 65,500 pixels. */
function hugeJpeg(small: Buffer): Buffer {
  const bytes = Buffer.from(small);
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  bytes.writeUInt16BE(65_500, frame + 5);
  bytes.writeUInt16BE(65_500, frame + 7);
  return bytes;
}

/** The end of an empty ZIP archive. */
const emptyZip = Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)]);

export async function hostileImages(): Promise<readonly HostileImage[]> {
  const plain = await colourImage('red', 0.3, 64).png().toBuffer();
  const noise = sharp(Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * index * 31) % 251)), { raw: { width: 64, height: 64, channels: 3 } });
  const jpeg = await noise.clone().jpeg().toBuffer();
  const webp = await noise.clone().webp().toBuffer();
  const frames = await Promise.all((['red', 'blue'] as const).map((colour) => colourImage(colour).png().toBuffer()));
  const animated = () => sharp(frames, { join: { animated: true } });
  const animation = chunk('acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]));
  const svg = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd" width="9" height="9"/></svg>`);
  const of = (code: string, contentType: string, images: Readonly<Record<string, Buffer>>): HostileImage[] =>
    Object.entries(images).map(([name, bytes]) => ({ name, bytes, contentType, code }));
  const side = 16_384;
  return [
    ...of('LS_IMAGE_TOO_LARGE', 'image/png', {
      'bomb of 16k x 16k': png(header(side, side, 1, 0), chunk('IDAT', zeros((side / 8 + 1) * side))),
      'header of 2 billion x 2 billion': png(header(2 ** 31 - 1, 2 ** 31 - 1, 8, 2), chunk('IDAT', zeros(100))),
    }),
    ...of('LS_IMAGE_TOO_LARGE', 'image/jpeg', { 'jpeg header of 65k x 65k': hugeJpeg(jpeg) }),
    ...of('LS_IMAGE_CORRUPT', 'image/png', {
      'cut png': plain.subarray(0, plain.length / 2),
      'cut by one byte': plain.subarray(0, -1),
      'nothing behind the signature': pngSignature,
      'garbage behind the signature': Buffer.concat([pngSignature, Buffer.alloc(500, 0x5a)]),
      'no pixels': png(header(0, 0, 8, 2), chunk('IDAT', zeros(10))),
      'too few pixels': png(header(64, 64, 8, 2), chunk('IDAT', zeros(100))),
      'wrong checksum': Buffer.from(plain).fill(0, 40, 44),
    }),
    ...of('LS_IMAGE_CORRUPT', 'image/jpeg', { 'cut jpeg': jpeg.subarray(0, jpeg.length / 2) }),
    ...of('LS_IMAGE_CORRUPT', 'image/webp', { 'cut webp': webp.subarray(0, webp.length / 2) }),
    ...of('LS_IMAGE_ANIMATED', 'image/webp', { 'animated webp': await animated().webp({ loop: 0 }).toBuffer() }),
    ...of('LS_IMAGE_ANIMATED', 'image/png', { 'animated png': withChunks(plain, animation) }),
    ...of('LS_IMAGE_FORMAT', 'image/gif', { 'animated gif': await animated().gif().toBuffer() }),
    ...of('LS_IMAGE_FORMAT', 'image/svg+xml', { svg }),
    ...of('LS_IMAGE_FORMAT', 'image/png', {
      'svg that says png': svg,
      'tiff that says png': await colourImage('red').tiff().toBuffer(),
      'zip that says png': Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), Buffer.alloc(100)]),
      text: Buffer.from('hello'),
    }),
    ...of('LS_IMAGE_EMPTY', 'image/png', { 'no bytes': Buffer.alloc(0) }),
    ...of('LS_IMAGE_CONTENT_TYPE', 'image/png', { 'jpeg that says png': jpeg }),
    ...of('LS_IMAGE_CONTENT_TYPE', 'audio/mpeg', { 'png that says audio': plain }),
    ...of('LS_IMAGE_POLYGLOT', 'image/png', {
      'png and zip': Buffer.concat([plain, emptyZip]),
      'png and more': Buffer.concat([plain, Buffer.from('x')]),
      'png and html': withChunks(plain, chunk('tEXt', Buffer.from('Comment\0<script>alert(1)</script>'))),
    }),
    ...of('LS_IMAGE_POLYGLOT', 'image/jpeg', { 'jpeg and pdf': Buffer.concat([jpeg.subarray(0, 2), Buffer.from([0xff, 0xfe, 0, 11]), Buffer.from('%PDF-1.4\n'), jpeg.subarray(2)]) }),
    ...of('LS_IMAGE_METADATA', 'image/png', {
      'text that inflates to 300 MB': withChunks(plain, chunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0'), zeros(300_000_000)]))),
      'profile that inflates to 300 MB': withChunks(plain, chunk('iCCP', Buffer.concat([Buffer.from('profile\0\0'), zeros(300_000_000)]))),
    }),
  ];
}
