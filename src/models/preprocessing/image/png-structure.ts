/**
 * PNG: chunks of length, type, data and CRC. Every CRC is checked, so that a damaged file never gives an image. Text is only measured (and
 * decompressed within the limit, because a few kilobytes of it can hold gigabytes) and then left out; the colour profile is measured too.
 */
import { crc32, inflate } from 'node:zlib';
import { promisify } from 'node:util';
import { imageError } from '../../../core/errors/image.ts';
import { scriptIn } from './foreign-content.ts';
import { blockCounter, corrupt, keptParts, metadataMeter, metadataTooLarge, polyglot, type ImageLimits, type ImageStructure } from './image-structure.ts';

const inflateBytes = promisify(inflate);

type Chunk = { readonly type: string; readonly data: Buffer; readonly start: number; readonly end: number };

const signatureBytes = 8;
/** Length, type and CRC. */
const chunkOverheadBytes = 12;

/** The chunks that change pixels; everything else is left out. */
const keptTypes: ReadonlySet<string> = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'iCCP', 'eXIf', 'sRGB', 'gAMA', 'cHRM']);
const animation: ReadonlySet<string> = new Set(['acTL', 'fcTL', 'fdAT']);

export async function pngStructure(bytes: Buffer, limits: ImageLimits): Promise<ImageStructure> {
  const header = chunkAt(bytes, signatureBytes);
  if (header.type !== 'IHDR' || header.data.length !== 13) throw corrupt('the PNG does not begin with its header');
  const [width, height] = [header.data.readUInt32BE(0), header.data.readUInt32BE(4)];
  const meter = metadataMeter(limits);
  const countBlock = blockCounter(bytes);
  const kept = keptParts(bytes);
  kept.keep(0, signatureBytes);
  let chunk = header;
  for (; chunk.type !== 'IEND'; chunk = chunkAt(bytes, chunk.end)) {
    countBlock();
    if (animation.has(chunk.type)) throw imageError('LS_IMAGE_ANIMATED', 'the PNG is animated (APNG)');
    if (!/^[A-Za-z]{4}$/.test(chunk.type)) throw corrupt(`the PNG has a chunk that is none at byte ${chunk.start}`);
    if (!isCritical(chunk.type)) {
      meter.add(chunkOverheadBytes + chunk.data.length);
      meter.add(await inflatedBytes(chunk, meter.left(), limits));
      const script = scriptIn(chunk.data);
      if (script !== undefined) throw polyglot(script, `in the metadata of the PNG`);
    }
    if (keptTypes.has(chunk.type)) kept.keep(chunk.start, chunk.end);
  }
  kept.keep(chunk.start, chunk.end);
  if (chunk.end < bytes.length) throw polyglot(`something of ${bytes.length - chunk.end} bytes`, 'behind the end of the PNG');
  return { width, height, parts: kept.parts() };
}

function isCritical(type: string): boolean {
  return (type.charCodeAt(0) & 0x20) === 0;
}

function chunkAt(bytes: Buffer, start: number): Chunk {
  if (start + chunkOverheadBytes > bytes.length) throw corrupt('the PNG is cut off');
  const end = start + chunkOverheadBytes + bytes.readUInt32BE(start);
  if (end > bytes.length) throw corrupt('the PNG is cut off');
  const type = bytes.toString('latin1', start + 4, start + 8);
  if (crc32(bytes.subarray(start + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) throw corrupt(`the checksum of a chunk of the PNG is wrong, at byte ${start}`);
  return { type, data: bytes.subarray(start + 8, end - 4), start, end };
}

/** How much more a compressed chunk holds than it shows. */
async function inflatedBytes({ type, data }: Chunk, bytesMax: number, { metadataBytesMax }: ImageLimits): Promise<number> {
  const compressed = compressedPart(type, data);
  if (compressed === undefined) return 0;
  try {
    return (await inflateBytes(compressed, { maxOutputLength: Math.max(1, bytesMax) })).length;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw metadataTooLarge(metadataBytesMax);
    // Anything else, as a lack of memory, says nothing of the image.
    if (code !== 'Z_DATA_ERROR' && code !== 'Z_BUF_ERROR' && code !== 'Z_NEED_DICT') throw error;
    throw corrupt(`the metadata ${type} of the PNG cannot be decompressed`);
  }
}

function compressedPart(type: string, data: Buffer): Buffer | undefined {
  // A keyword or name, a zero, and what follows depends on the type.
  const afterName = data.indexOf(0) + 1;
  if (type === 'zTXt' || type === 'iCCP') return data.subarray(afterName + 1);
  if (type !== 'iTXt' || data[afterName] !== 1) return undefined;
  const afterLanguage = data.indexOf(0, afterName + 2) + 1;
  return data.subarray(data.indexOf(0, afterLanguage) + 1);
}
