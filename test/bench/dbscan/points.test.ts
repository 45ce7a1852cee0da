import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leavingPoints } from '../../../bench/dbscan/leaving-points.ts';
import { openPoints, writeChain, writePoints, type Distribution } from '../../../bench/dbscan/points.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'labelstream-points-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function rowsOf(path: string, count: number, dimensions: number): Promise<Float32Array[]> {
  const file = await openPoints(path, dimensions);
  const all = await file.rows(0, count);
  await file.close();
  return Array.from({ length: count }, (_, row) => all.slice(row * dimensions, (row + 1) * dimensions));
}

async function made(data: Distribution, count: number, dimensions: number): Promise<Float32Array[]> {
  const path = join(directory, `${data}.f32`);
  await writePoints(path, { count, dimensions, data });
  return rowsOf(path, count, dimensions);
}

function dot(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < left.length; index += 1) sum += left[index]! * right[index]!;
  return sum;
}

const degrees = (rows: readonly Float32Array[], isNear: (left: Float32Array, right: Float32Array) => boolean): number[] =>
  rows.map((row) => rows.filter((other) => other !== row && isNear(row, other)).length);
const isCosineNear = (left: Float32Array, right: Float32Array): boolean => 1 - dot(left, right) <= 0.3;

test('clustered points are of unit length, and about all of a bump are near each other', async () => {
  const rows = await made('clustered', 1_000, 128);
  for (const row of rows) expect(dot(row, row)).toBeCloseTo(1, 5);
  const mean = degrees(rows, isCosineNear).reduce((sum, degree) => sum + degree, 0) / rows.length;
  // 20 bumps of 50, of which nine in ten are near a member.
  expect(mean).toBeGreaterThan(35);
  expect(mean).toBeLessThan(55);
});

test('of hard points one in ten has the seven others of its group near, and the rest nothing', async () => {
  const found = degrees(await made('hard', 800, 128), isCosineNear);
  expect(found.filter((degree) => degree === 7)).toHaveLength(80);
  expect(found.filter((degree) => degree === 0)).toHaveLength(720);
});

test('the same seed gives the same points, and any part of the file can be read', async () => {
  const [first, again] = [await made('clustered', 300, 8), await made('clustered', 300, 8)];
  expect(again).toEqual(first);
  const file = await openPoints(join(directory, 'clustered.f32'), 8);
  expect(await file.rows(100, 101)).toEqual(first[100]);
  await expect(file.rows(299, 301)).rejects.toThrow('has no rows');
  await file.close();
});

test('a chain is balls that are near nothing but themselves and their bridges', async () => {
  const path = join(directory, 'chain.f32');
  const count = 4 * 101 - 1;
  const { bridges, eps } = await writeChain(path, count, 64);
  expect(bridges).toEqual([100, 201, 302]);
  const found = degrees(await rowsOf(path, count, 64), (left, right) => dot(left, left) + dot(right, right) - 2 * dot(left, right) <= eps * eps);
  for (const bridge of bridges) expect(found[bridge]).toBe(200);
  // 99 of its own ball, and the bridges at its ends: one in the first and the last ball, two between.
  expect([0, 150, 250, 402].map((point) => found[point])).toEqual([100, 101, 101, 100]);
});

test('points leave once each, at random or the oldest first', () => {
  const leaving = leavingPoints(50, seededRandom(1));
  const random = leaving.take('random', 20);
  const present = Array.from({ length: 50 }, (_, point) => point).filter((point) => !random.includes(point));
  expect(leaving.take('oldest', 10)).toEqual(present.slice(0, 10));
  leaving.add(50, 60);
  const rest = leaving.take('random', 30);
  expect(new Set([...random, ...present.slice(0, 10), ...rest]).size).toBe(60);
});
