/** Made-up images of every format, of many sizes, shapes and contents: from pixels that depend on the seed alone. */
import type { Random } from '../core/clock.ts';
import type { ModelInput } from './model-port.ts';

type Raw = { readonly data: Uint8Array; readonly raw: { readonly width: number; readonly height: number; readonly channels: 3 | 4 } };

/** Tiny, tall, wide, about what models read, and a photograph's shape. */
const sizes: readonly (readonly [width: number, height: number])[] = [
  [1, 1],
  [5, 90],
  [300, 20],
  [32, 32],
  [224, 224],
  [320, 240],
  [480, 640],
];

const formats = ['png', 'jpeg', 'webp'] as const;

export async function probeImages(random: Random): Promise<ModelInput[]> {
  // Loaded where images are made only, as in the worker.
  const { default: sharp } = await import('sharp');
  const images: ModelInput[] = [];
  for (const [width, height] of sizes) {
    for (const format of formats) {
      for (const paint of [gradient, patches]) {
        const { data, raw } = drawn(width, height, format !== 'jpeg' && random() < 0.3 ? 4 : 3, paint(random));
        const orientation = 1 + Math.floor(random() * 8);
        const bytes = await sharp(data, { raw }).withMetadata({ orientation }).toFormat(format, { quality: 60 + Math.floor(random() * 40) }).toBuffer();
        images.push({ kind: 'image', bytes, contentType: `image/${format}` });
      }
    }
  }
  return images;
}

type Paint = (x: number, y: number, channel: number) => number;

function drawn(width: number, height: number, channels: 3 | 4, paint: Paint): Raw {
  const data = new Uint8Array(width * height * channels);
  for (let index = 0; index < data.length; index += 1) {
    const pixel = Math.floor(index / channels);
    data[index] = paint((pixel % width) / width, Math.floor(pixel / width) / height, index % channels);
  }
  return { data, raw: { width, height, channels } };
}

function gradient(random: Random): Paint {
  const slopes = Array.from({ length: 4 }, () => [256 * random(), 200 * (random() - 0.5), 200 * (random() - 0.5)] as const);
  return (x, y, channel) => {
    const [start, alongX, alongY] = slopes[channel] ?? [0, 0, 0];
    return Math.min(255, Math.max(0, start + alongX * x + alongY * y));
  };
}

/** A chequered pattern of random colours: hard edges and extreme values. */
function patches(random: Random): Paint {
  const side = 2 + Math.floor(random() * 12);
  const colours = Uint8Array.from({ length: 4 * side * side }, () => (random() < 0.3 ? 255 * Math.round(random()) : 256 * random()));
  return (x, y, channel) => colours[4 * (side * Math.floor(y * side) + Math.floor(x * side)) + channel] ?? 0;
}
