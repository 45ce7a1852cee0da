/** The images with which an imported model is asked for its known answers: files that somebody names, or two that are drawn here. */
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';
import { modelError } from '../core/errors/model.ts';
import type { KnownInput } from './manifest-writer.ts';
import type { DraftFile } from './model-place.ts';

export type KnownImages = { readonly files: readonly DraftFile[]; readonly inputs: readonly KnownInput[] };

const folder = 'known';
const contentTypes: Readonly<Record<string, string>> = { '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg', '.png': 'image/png', '.webp': 'image/webp' };

type NamedImage = readonly [name: string, contentType: string, bytes: Uint8Array];

/** Rejects with LS_MODEL_IMPORT. */
export async function knownImages(paths: readonly string[]): Promise<KnownImages> {
  if (paths.length === 0) {
    return joined(await Promise.all(drawn.map(async ({ name, paint }): Promise<NamedImage> => [name, 'image/png', await pngOf(160, 120, paint)])));
  }
  const images: NamedImage[] = [];
  for (const path of paths) {
    const contentType = contentTypes[extname(path).toLowerCase()];
    if (contentType === undefined) throw modelError('LS_MODEL_IMPORT', `the known input ${path} is none of ${Object.keys(contentTypes).join(', ')}`, { file: path });
    // Two of one name lie beside each other; what a file system or the manifest may not like is left out of it.
    const name = `${images.length}-${basename(path).replace(/[^A-Za-z0-9._-]+/g, '-')}`;
    images.push([name, contentType, await readImage(path)]);
  }
  return joined(images);
}

async function readImage(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw modelError('LS_MODEL_IMPORT', `the known input ${path} cannot be read: ${error instanceof Error ? error.message : ''}`, { file: path }, { cause: error });
  }
}

function joined(images: readonly NamedImage[]): KnownImages {
  return {
    files: images.map(([name, , bytes]) => ({ path: `${folder}/${name}`, content: { bytes } })),
    inputs: images.map(([name, contentType]) => ({ kind: 'image', file: `${folder}/${name}`, contentType })),
  };
}

type Paint = (x: number, y: number) => readonly [red: number, green: number, blue: number];

/** Colours that differ in every channel, edges and smooth parts: a wrong order of channels or axes changes what the model says. */
const drawn: readonly { readonly name: string; readonly paint: Paint }[] = [
  { name: 'disc.png', paint: (x, y) => (Math.hypot(x - 60, y - 50) < 35 ? [220, 60, 30] : [x, 140, 255 - 2 * y]) },
  { name: 'stripes.png', paint: (x, y) => (Math.floor((x + 2 * y) / 12) % 2 === 0 ? [30, 200 - y, 90] : [250, 240, x]) },
];

/** An 8-bit RGB PNG (ISO/IEC 15948); every row is stored without a filter. */
async function pngOf(width: number, height: number, paint: Paint): Promise<Uint8Array> {
  const rows = Array.from({ length: height }, (_, y) => [0, ...Array.from({ length: width }, (__, x) => paint(x, y)).flat()]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = await promisify(deflate)(Uint8Array.from(rows.flat()));
  return Buffer.concat([signature, pngChunk('IHDR', header), pngChunk('IDAT', pixels), pngChunk('IEND', new Uint8Array())]);
}

function pngChunk(type: string, content: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}
