import { expect, test } from 'vitest';
import { createBudget } from '../../../../src/core/budget.ts';
import { imageError } from '../../../../src/core/errors/image.ts';
import { decodeInTurn } from '../../../../src/models/preprocessing/image/decode-in-turn.ts';
import type { ImageStructure } from '../../../../src/models/preprocessing/image/image-structure.ts';

const decoding = () => ({ imagePixelsMax: 100, budget: createBudget(100) });
const image = (pixels: number, ...parts: Buffer[]): ImageStructure => ({ width: pixels, height: 1, parts: [Buffer.alloc(13), ...parts] });
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('only so many pixels and encoded bytes are decoded at once; a failure makes room', async () => {
  const shared = decoding();
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<Uint8Array>>();
  const start = (name: string, of: ImageStructure): Promise<Uint8Array> => {
    const end = Promise.withResolvers<Uint8Array>();
    ends.set(name, end);
    return decodeInTurn(of, () => (begun.push(name), end.promise), shared);
  };
  const all = Promise.allSettled([start('a', image(49)), start('bad', image(48)), start('long', image(1, Buffer.alloc(13 * 60))), start('b', image(10))]);
  await settled();
  expect(begun).toEqual(['a', 'bad']);
  ends.get('bad')?.reject(new Error('bad'));
  await settled();
  expect(begun).toEqual(['a', 'bad']);
  ends.get('a')?.resolve(new Uint8Array(1));
  await settled();
  expect(begun).toEqual(['a', 'bad', 'long', 'b']);
  for (const { resolve } of ends.values()) resolve(new Uint8Array(1));
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
});

test('the parts are joined; one part is not copied', async () => {
  const part = Buffer.from('whole');
  let seen: Buffer = part;
  const decode = (bytes: Buffer): Promise<Uint8Array> => Promise.resolve((seen = bytes));
  await decodeInTurn({ width: 1, height: 1, parts: [part, Buffer.from(' and more')] }, decode, decoding());
  expect(seen.toString()).toBe('whole and more');
  await decodeInTurn({ width: 1, height: 1, parts: [part] }, decode, decoding());
  expect(seen).toBe(part);
});

test('what takes too long is decoded once more, alone; the second failure is its own', async () => {
  const shared = decoding();
  const neighbour = Promise.withResolvers<Uint8Array>();
  const beside = decodeInTurn(image(20), () => neighbour.promise, shared);
  const late = imageError('LS_IMAGE_DECODE_TIME', 'late');
  let attempts = 0;
  const fails = (times: number) => (): Promise<Uint8Array> => ((attempts += 1) <= times ? Promise.reject(late) : Promise.resolve(new Uint8Array(7)));
  const slow = decodeInTurn(image(20), fails(1), shared);
  await settled();
  expect(attempts).toBe(1);
  neighbour.resolve(new Uint8Array(1));
  expect(await slow).toHaveLength(7);
  expect(attempts).toBe(2);
  await beside;
  attempts = 0;
  await expect(decodeInTurn(image(20), fails(9), shared)).rejects.toBe(late);
  expect(attempts).toBe(2);
  attempts = 0;
  await expect(decodeInTurn(image(20), () => ((attempts += 1), Promise.reject(imageError('LS_IMAGE_CORRUPT', 'bad'))), shared)).rejects.toMatchObject({ code: 'LS_IMAGE_CORRUPT' });
  expect(attempts).toBe(1);
});
