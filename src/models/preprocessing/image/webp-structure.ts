/** WebP: a RIFF file whose length is told at its start, and chunks in it. */
import { imageError } from '../../../core/errors/image.ts';
import { scriptIn } from './foreign-content.ts';
import { blockCounter, corrupt, metadataMeter, polyglot, type ImageLimits, type ImageStructure } from './image-structure.ts';

const headerBytes = 12;
const animationFlag = 0x02;
const pictureChunks: ReadonlySet<string> = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH']);

export function webpStructure(bytes: Buffer, limits: ImageLimits): ImageStructure {
  if (bytes.length < headerBytes + 8) throw corrupt('the WebP is cut off');
  const end = 8 + padded(bytes.readUInt32LE(4));
  if (end > bytes.length) throw corrupt('the WebP is cut off');
  if (end < bytes.length) throw polyglot(`something of ${bytes.length - end} bytes`, 'behind the end of the WebP');
  const meter = metadataMeter(limits);
  const countBlock = blockCounter(bytes);
  let size = { width: 0, height: 0 };
  let pictures = 0;
  for (let at = headerBytes; at < end; ) {
    countBlock();
    if (at + 8 > end) throw corrupt('the WebP ends within a chunk');
    const type = bytes.toString('latin1', at, at + 4);
    const dataBytes = bytes.readUInt32LE(at + 4);
    const data = bytes.subarray(at + 8, at + 8 + dataBytes);
    if (data.length < dataBytes) throw corrupt('the WebP ends within a chunk');
    if (type === 'ANIM' || type === 'ANMF') throw animated();
    if (pictureChunks.has(type)) {
      const found = pictureSize(type, data);
      size = { width: Math.max(size.width, found.width), height: Math.max(size.height, found.height) };
      if (type === 'VP8 ' || type === 'VP8L') pictures += 1;
    } else {
      meter.add(8 + dataBytes);
      const script = scriptIn(data);
      if (script !== undefined) throw polyglot(script, 'in the metadata of the WebP');
    }
    at += 8 + padded(dataBytes);
  }
  if (pictures !== 1) throw corrupt(`the WebP has ${pictures} pictures`);
  return { ...size, parts: [bytes] };
}

function animated(): Error {
  return imageError('LS_IMAGE_ANIMATED', 'the WebP is animated');
}

/** Chunks begin at even places. */
function padded(length: number): number {
  return length + (length & 1);
}

function pictureSize(type: string, data: Buffer): { width: number; height: number } {
  if (type === 'ALPH') return { width: 0, height: 0 };
  if (data.length < (type === 'VP8L' ? 5 : 10)) throw corrupt('the header of the WebP is too short');
  if (type === 'VP8X') {
    if (((data[0] ?? 0) & animationFlag) !== 0) throw animated();
    return { width: 1 + data.readUIntLE(4, 3), height: 1 + data.readUIntLE(7, 3) };
  }
  if (type === 'VP8L') {
    const bits = data.readUInt32LE(1);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  return { width: data.readUInt16LE(6) & 0x3fff, height: data.readUInt16LE(8) & 0x3fff };
}
