/**
 * How the probabilities of CLIP and SigLIP come of cosines: `scale x cosine + bias`. Both numbers were learnt, and stand in no published JSON file, but the joint
 * graph computes with them: what it gives for made-up images and texts tells them.
 */
import './onnxruntime-telemetry.ts';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { z } from 'zod';
import { seededRandom } from '../core/seeded-random.ts';
import { readIfThere, readJson, refuse, understood, weightsPath } from './transformer-source.ts';

const count = z.int().min(1);
const configFile = z.looseObject({
  text_config: z.looseObject({ vocab_size: count.optional(), max_position_embeddings: count.optional(), eos_token_id: z.int().min(0).optional() }).default({}),
  vision_config: z.looseObject({ image_size: count.optional() }).default({}),
});

/** What is left out of a published config.json is as the architecture's authors had it. */
const usual = { clip: { vocabulary: 49_408, length: 77, isBiased: false }, siglip: { vocabulary: 32_000, length: 64, isBiased: true } } as const;
const imageSizeUsual = 224;
const items = 3;

/** Undefined where there is no joint graph, or it does not tell. Rejects with LS_MODEL_IMPORT. */
export async function measuredSimilarity(directory: string, architecture: keyof typeof usual): Promise<{ scale: number; bias: number } | undefined> {
  const path = 'onnx/model.onnx';
  const bytes = await readIfThere(directory, path);
  if (bytes === undefined) return undefined;
  const { structure } = understood(join(directory, path), bytes);
  const externalData = [];
  for (const location of structure.externalLocations) {
    const data = await readIfThere(directory, await weightsPath(directory, path, location));
    if (data !== undefined) externalData.push({ path: location, data });
  }
  const config = await readJson(directory, 'config.json', configFile);
  const session = await InferenceSession.create(bytes, { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4, externalData });
  try {
    const fed = Object.entries(feeds(config, architecture)).filter(([name]) => session.inputNames.includes(name));
    const { logits_per_image: logits, image_embeds: images, text_embeds: texts } = await session.run(Object.fromEntries(fed));
    if (logits?.type !== 'float32' || images?.type !== 'float32' || texts?.type !== 'float32') return undefined;
    return fitted(logits.data as Float32Array, cosines(rowsOf(images.data as Float32Array), rowsOf(texts.data as Float32Array)), usual[architecture].isBiased);
  } catch (error) {
    return refuse(join(directory, path), `cannot be asked: ${error instanceof Error ? error.message : String(error)}`, error);
  } finally {
    await session.release();
  }
}

function feeds({ text_config: text, vision_config: vision }: z.output<typeof configFile>, architecture: keyof typeof usual): Readonly<Record<string, Tensor>> {
  const random = seededRandom(1);
  const side = vision.image_size ?? imageSizeUsual;
  const length = text.max_position_embeddings ?? usual[architecture].length;
  const vocabulary = text.vocab_size ?? usual[architecture].vocabulary;
  // CLIP reads a text at the token that ends it: the one with the highest number, or the one that is named.
  const end = Math.min(vocabulary - 1, text.eos_token_id ?? vocabulary - 1);
  const ids = Array.from({ length: items * length }, (_, index) => BigInt(index % length === length - 1 ? end : Math.floor(random() * (vocabulary - 1))));
  return {
    pixel_values: new Tensor('float32', Float32Array.from({ length: items * 3 * side * side }, () => 4 * random() - 2), [items, 3, side, side]),
    input_ids: new Tensor('int64', BigInt64Array.from(ids), [items, length]),
    attention_mask: new Tensor('int64', new BigInt64Array(items * length).fill(1n), [items, length]),
  };
}

function rowsOf(data: Float32Array): readonly Float64Array[] {
  const width = data.length / items;
  return Array.from({ length: items }, (_, row) => {
    const vector = Float64Array.from(data.subarray(row * width, (row + 1) * width));
    const norm = Math.hypot(...vector);
    return vector.map((value) => value / norm);
  });
}

/** In the order of the logits: images, then texts. */
function cosines(images: readonly Float64Array[], texts: readonly Float64Array[]): readonly number[] {
  return images.flatMap((image) => texts.map((text) => image.reduce((total, value, index) => total + value * (text[index] ?? 0), 0)));
}

const digits = 7;

/** By least squares. Undefined where the line does not go through the points, or they lie too close together to tell one. */
function fitted(logits: ArrayLike<number>, cosinesOf: readonly number[], isBiased: boolean): { scale: number; bias: number } | undefined {
  const mean = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / values.length;
  const given = Array.from(logits);
  const [x, y] = isBiased ? [mean(cosinesOf), mean(given)] : [0, 0];
  const spread = cosinesOf.reduce((total, cosine) => total + (cosine - x) ** 2, 0);
  const scale = cosinesOf.reduce((total, cosine, index) => total + (cosine - x) * ((given[index] ?? 0) - y), 0) / spread;
  const bias = y - scale * x;
  const worst = Math.max(...cosinesOf.map((cosine, index) => Math.abs(scale * cosine + bias - (given[index] ?? 0))));
  if (!(spread > 1e-7 && scale > 0 && worst < 1e-3 * Math.max(1, scale))) return undefined;
  return { scale: Number(scale.toPrecision(digits)), bias: isBiased ? Number(bias.toPrecision(digits)) : 0 };
}
