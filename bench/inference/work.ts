/** What the inference benches run: images and texts that are made up, the same each time. */
import sharp from 'sharp';
import { seededRandom } from '../../src/core/seeded-random.ts';
import type { ModelInput } from '../../src/models/model-port.ts';

const [width, height] = [640, 480];

/** A photograph as far as a decoder is concerned: smooth shapes, edges and grain. */
export async function picture(seed: number): Promise<Buffer> {
  const random = seededRandom(seed + 1);
  const tile = Buffer.from(Uint8Array.from({ length: 24 * 18 * 3 }, () => Math.floor(random() * 256)));
  const smooth = await sharp(tile, { raw: { width: 24, height: 18, channels: 3 } }).resize(width, height, { kernel: seed % 2 === 0 ? 'cubic' : 'nearest' }).raw().toBuffer();
  const grained = Buffer.from(smooth.map((value) => value + Math.floor(random() * 24) - 12));
  return sharp(grained, { raw: { width, height, channels: 3 } }).jpeg({ quality: 85 }).toBuffer();
}

export async function imageInputs(count: number): Promise<ModelInput[]> {
  const inputs: ModelInput[] = [];
  for (let index = 0; index < count; index += 1) inputs.push({ kind: 'image', bytes: await picture(index), contentType: 'image/jpeg' });
  return inputs;
}

const words = ['river', 'engine', 'the', 'of', 'quarterly', 'harbour', 'and', 'signal', 'winter', 'a', 'ministry', 'to', 'orbit', 'kitchen', 'in', 'parliament', 'violin', 'is', 'glacier', 'transfer'];

/** From a few words to hundreds, most of them short: lengths are spread evenly over their logarithm. */
export function textInputs(count: number, wordsMax: number): ModelInput[] {
  const random = seededRandom(11);
  return Array.from({ length: count }, () => {
    const length = Math.round(Math.exp(Math.log(3) + random() * (Math.log(wordsMax) - Math.log(3))));
    return { kind: 'text', text: Array.from({ length }, () => words[Math.floor(random() * words.length)]).join(' ') };
  });
}
