/**
 * The points that are clustered, in a file of raw little-endian float32 rows: those of the peers' program, or where there is no Python others of
 * the same distribution. A bench's processes read them from there, so that none holds more of them than its work needs.
 *
 *   clustered   n / 100 Gaussian bumps on the unit sphere (noise of norm 0.6), so the mean degree depends on n little
 *   hard        isotropic directions, one point in ten replaced by a near copy (noise of norm 0.3) of a group's seed, groups of 8: nothing to prune
 *   chain       dense balls in a row, euclidean, and between each two the one point that connects them
 */
import { open } from 'node:fs/promises';
import type { Random } from '../../src/core/clock.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { vectorBytes, vectorFromBytes } from '../../src/clustering/distance.ts';

export type Distribution = 'clustered' | 'hard';
export type PointsPlan = { readonly count: number; readonly dimensions: number; readonly data: Distribution };

const bumpSize = 100;
const bumpsMin = 20;
const bumpNoise = 0.6;
const copyNoise = 0.3;
const copiesShare = 10;
const copyGroup = 8;
const rowsPerWrite = 4_096;

export async function writePoints(path: string, plan: PointsPlan, seed = 0): Promise<void> {
  await writeRows(path, plan, plan.data === 'clustered' ? clusteredRows(plan, seededRandom(seed)) : hardRows(plan, seededRandom(seed)));
}

type RowMaker = (index: number, row: Float32Array) => void;

function clusteredRows({ count, dimensions }: PointsPlan, random: Random): RowMaker {
  const centres = Array.from({ length: Math.max(bumpsMin, Math.floor(count / bumpSize)) }, () => direction(dimensions, random));
  return (_, row) => {
    nearCopy(centres[Math.floor(random() * centres.length)] ?? row, bumpNoise, random, row);
  };
}

function hardRows({ count, dimensions }: PointsPlan, random: Random): RowMaker {
  const copies = Math.floor(count / copiesShare / copyGroup) * copyGroup;
  const members = new Set<number>();
  while (members.size < copies) members.add(Math.floor(random() * count));
  const seedOf = new Map<number, Float32Array>();
  let seed: Float32Array = new Float32Array(0);
  for (const [place, member] of [...members].entries()) {
    if (place % copyGroup === 0) seed = direction(dimensions, random);
    seedOf.set(member, seed);
  }
  return (index, row) => {
    const original = seedOf.get(index);
    if (original === undefined) row.set(direction(dimensions, random));
    else nearCopy(original, copyNoise, random, row);
  };
}

/** Of unit length where `noise` is added to a unit vector, whose noise has about that norm. */
function nearCopy(original: Float32Array, noise: number, random: Random, row: Float32Array): void {
  const scale = noise / Math.sqrt(row.length);
  for (let index = 0; index < row.length; index += 1) row[index] = (original[index] ?? 0) + gaussian(random) * scale;
  normalise(row);
}

function direction(dimensions: number, random: Random): Float32Array {
  const row = new Float32Array(dimensions);
  for (let index = 0; index < dimensions; index += 1) row[index] = gaussian(random);
  normalise(row);
  return row;
}

function normalise(row: Float32Array): void {
  let sum = 0;
  for (const value of row) sum += value * value;
  const scale = 1 / Math.sqrt(sum);
  for (let index = 0; index < row.length; index += 1) row[index] = (row[index] ?? 0) * scale;
}

/** Box and Muller's, without the second value. */
function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export type Chain = { readonly count: number; readonly dimensions: number; readonly eps: number; readonly bridges: readonly number[] };

/** The rows are ball, bridge, ball ... ball; `bridges` are the indices of those between two balls. */
export async function writeChain(path: string, count: number, dimensions: number, seed = 0): Promise<Chain> {
  const random = seededRandom(seed);
  const ballSize = bumpSize;
  const bridges: number[] = [];
  await writeRows(path, { count, dimensions }, (index, row) => {
    const ball = Math.floor(index / (ballSize + 1));
    const isBridge = index % (ballSize + 1) === ballSize && index < count - 1;
    if (isBridge) bridges.push(index);
    for (let axis = 0; axis < dimensions; axis += 1) row[axis] = isBridge ? 0 : (gaussian(random) * chainNoise) / Math.sqrt(dimensions);
    row[0] = (row[0] ?? 0) + (ball + (isBridge ? 0.5 : 0)) * chainStep;
  });
  return { count, dimensions, eps: chainEps, bridges };
}

/** Centres are 1.6 eps apart, and a bridge is within eps of all points of its two balls: nothing but bridges connects balls. */
const chainEps = 1;
const chainStep = 1.6;
const chainNoise = 0.3;

async function writeRows(path: string, { count, dimensions }: Pick<PointsPlan, 'count' | 'dimensions'>, make: RowMaker): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let start = 0; start < count; start += rowsPerWrite) {
      const rows = Math.min(rowsPerWrite, count - start);
      const block = new Float32Array(rows * dimensions);
      for (let row = 0; row < rows; row += 1) make(start + row, block.subarray(row * dimensions, (row + 1) * dimensions));
      await file.write(vectorBytes(block));
    }
  } finally {
    await file.close();
  }
}

export type PointsFile = {
  /** The bytes of rows from..to, as in the file. */
  readonly bytes: (from: number, to: number) => Promise<Buffer>;
  readonly rows: (from: number, to: number) => Promise<Float32Array>;
  readonly close: () => Promise<void>;
};

export async function openPoints(path: string, dimensions: number): Promise<PointsFile> {
  const file = await open(path, 'r');
  const bytes = async (from: number, to: number): Promise<Buffer> => {
    const buffer = Buffer.alloc((to - from) * dimensions * Float32Array.BYTES_PER_ELEMENT);
    for (let filled = 0; filled < buffer.length; ) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, from * dimensions * Float32Array.BYTES_PER_ELEMENT + filled);
      if (bytesRead === 0) throw new RangeError(`${path} has no rows ${from} to ${to} of ${dimensions} dimensions`);
      filled += bytesRead;
    }
    return buffer;
  };
  return { bytes, rows: async (from, to) => vectorFromBytes(await bytes(from, to)), close: () => file.close() };
}
