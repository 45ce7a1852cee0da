/**
 * JPEG: segments that begin with a marker and tell their length, and between them the compressed data of the scans. What ends before its end
 * marker is cut off. The decoder gets EXIF (for the orientation), the colour profile and what Adobe says of colours; everything else that is
 * no picture is left out, and so is what cameras put behind the end.
 */
import { foreignTrailer, scriptIn } from './foreign-content.ts';
import { blockCounter, corrupt, keptParts, metadataMeter, polyglot, type ImageLimits, type ImageStructure } from './image-structure.ts';

const marker = { startOfImage: 0xd8, endOfImage: 0xd9, startOfScan: 0xda, comment: 0xfe } as const;

/** Every scan of a progressive JPEG is a pass over the whole image, however few bytes it has. Usual are about ten. */
const scansMax = 100;

type Segment = { readonly marker: number; readonly start: number; readonly end: number };

export function jpegStructure(bytes: Buffer, limits: ImageLimits): ImageStructure {
  const meter = metadataMeter(limits);
  const countBlock = blockCounter(bytes);
  const kept = keptParts(bytes);
  kept.keep(0, 2);
  let size: { width: number; height: number } | undefined;
  let scans = 0;
  let segment = segmentAt(bytes, 2);
  for (; segment.marker !== marker.endOfImage; segment = segmentAt(bytes, segment.end)) {
    countBlock();
    const data = bytes.subarray(segment.start, segment.end);
    if (isFrame(segment.marker)) {
      if (size !== undefined) throw corrupt('the JPEG has two headers');
      size = frameSize(data);
    }
    if (isMetadata(segment.marker)) {
      meter.add(data.length);
      const script = scriptIn(data);
      if (script !== undefined) throw polyglot(script, 'in the metadata of the JPEG');
      if (!isNeeded(segment.marker, data)) continue;
    }
    if (segment.marker === marker.startOfScan) {
      scans += 1;
      if (scans > scansMax) throw corrupt(`the JPEG has more than ${scansMax} scans`);
      segment = { ...segment, end: scanEnd(bytes, segment.end) };
    }
    kept.keep(segment.start, segment.end);
  }
  if (size === undefined || scans === 0) throw corrupt('the JPEG has no image before its end');
  const foreign = foreignTrailer(bytes.subarray(segment.end));
  if (foreign !== undefined) throw polyglot(foreign, 'behind the end of the JPEG');
  kept.keep(segment.start, segment.end);
  return { ...size, parts: kept.parts() };
}

/** Without the compressed data that follow a start of scan. */
function segmentAt(bytes: Buffer, at: number): Segment {
  if (bytes[at] !== 0xff) throw at < bytes.length ? corrupt(`the JPEG has something unknown at byte ${at}`) : cutOff();
  let start = at;
  // Any number of fill bytes may stand before a marker.
  while (bytes[start + 1] === 0xff) start += 1;
  const found = bytes[start + 1];
  if (found === undefined) throw cutOff();
  if (found === marker.endOfImage) return { marker: found, start, end: start + 2 };
  // Restarts belong into the data of a scan.
  if (found === 0 || found === marker.startOfImage || isStandalone(found)) throw corrupt(`the JPEG has something unknown at byte ${start}`);
  if (start + 4 > bytes.length) throw cutOff();
  const length = bytes.readUInt16BE(start + 2);
  if (length < 2) throw corrupt(`the JPEG has a segment without a length at byte ${start}`);
  if (start + 2 + length > bytes.length) throw cutOff();
  return { marker: found, start, end: start + 2 + length };
}

function cutOff(): Error {
  return corrupt('the JPEG is cut off');
}

/** Where the next marker begins that is none of the data: not a stuffed 0xff and no restart. */
function scanEnd(bytes: Buffer, from: number): number {
  // Not by indexOf: where every second byte is 0xff, its calls would take seconds.
  for (let at = from; at + 1 < bytes.length; at += 1) {
    if (bytes[at] !== 0xff) continue;
    const next = bytes[at + 1] ?? 0;
    if (next !== 0 && next !== 0xff && !isStandalone(next)) return at;
  }
  throw cutOff();
}

/** Restart markers and TEM. */
function isStandalone(found: number): boolean {
  return (found >= 0xd0 && found <= 0xd7) || found === 0x01;
}

function isFrame(found: number): boolean {
  // Among them are the tables DHT (c4), JPG (c8) and DAC (cc).
  return found >= 0xc0 && found <= 0xcf && found !== 0xc4 && found !== 0xc8 && found !== 0xcc;
}

function isMetadata(found: number): boolean {
  return (found >= 0xe0 && found <= 0xef) || found === marker.comment;
}

const needed: readonly { readonly marker: number; readonly prefix: string }[] = [
  { marker: 0xe0, prefix: 'JFIF\0' },
  { marker: 0xe1, prefix: 'Exif\0' },
  { marker: 0xe2, prefix: 'ICC_PROFILE\0' },
  { marker: 0xee, prefix: 'Adobe' },
];

function isNeeded(found: number, data: Buffer): boolean {
  return needed.some(({ marker, prefix }) => marker === found && data.toString('latin1', 4, 4 + prefix.length) === prefix);
}

function frameSize(data: Buffer): { width: number; height: number } {
  if (data.length < 10) throw corrupt('the header of the JPEG is too short');
  return { width: data.readUInt16BE(7), height: data.readUInt16BE(5) };
}
