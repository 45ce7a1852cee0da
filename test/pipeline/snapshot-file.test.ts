/** The bytes of a snapshot file: what of them may be damaged, cut off, put elsewhere or appended, and is found. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { readSnapshotFile, writeSnapshotFile } from '../../src/pipeline/snapshot-file.ts';
import { headerAt } from '../conformance/state-store-conformance.ts';
import { integerIn } from './virtual-clock.ts';

/** Of version 1, with the chunks `newer`, nothing, and `state`. */
const former = Buffer.from(
  'TFNTTkFQAAEAAABv7Nd1w3sic3RhZ2UiOiJjbHVzdGVyIiwidG9waWMiOiJmZWF0dXJlcyIsImluY2FybmF0aW9uIjoiYS9iIiwicGFydGl0aW9uIjoyLCJzZXF1ZW5jZSI6IjkiLCJwb3NpdGlvbiI6InBvc2l0aW9uIDkifQAAAAUb58gnbmV3ZXIAAAAAAAAAAAAAAAWjk9L7c3RhdGX/////xVDR0tAPxAbvOofmWGI3L7SeVCvJodfxxnQ14qIPKDo=',
  'base64',
);

const texts = (...chunks: readonly string[]): Buffer[] => chunks.map((chunk) => Buffer.from(chunk));

async function written(chunks: readonly Buffer[], sequence = 9n): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let end = 0;
  const write = (data: Buffer, offset: number): Promise<void> => {
    expect(offset).toBe(end);
    end += data.length;
    pieces.push(Buffer.from(data));
    return Promise.resolve();
  };
  await writeSnapshotFile({ write }, headerAt(sequence), chunks);
  return Buffer.concat(pieces);
}

/** @param size what the file says it has, where it has become shorter since. */
async function framesIn(file: Buffer, size = file.length): Promise<Buffer[]> {
  const read = (offset: number, length: number, into?: Buffer): Promise<Buffer> => {
    const bytes = file.subarray(offset, offset + length);
    if (into === undefined || into.length < length) return Promise.resolve(Buffer.from(bytes));
    bytes.copy(into);
    return Promise.resolve(into.subarray(0, bytes.length));
  };
  return Array.fromAsync(readSnapshotFile({ size: () => Promise.resolve(size), read }, 'a file'), (frame) => Buffer.from(frame));
}

const isCorrupt = { code: 'LS_STATE_SNAPSHOT_CORRUPT', details: expect.objectContaining({ path: 'a file' }) as unknown };

/** Where the frames of a small file of this version begin and end. */
function framesOf(file: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let start = 8; file.readUInt32BE(start) !== 0xff_ff_ff_ff; ) {
    const end = start + 8 + file.readUInt32BE(start);
    frames.push(file.subarray(start, end));
    start = end;
  }
  return frames;
}

describe('a snapshot file', () => {
  it('is refused with any byte changed, cut off anywhere, or with bytes behind its end', async () => {
    const file = await written(texts('newer', '', 'state'));
    expect((await framesIn(file)).slice(1)).toEqual(texts('newer', '', 'state'));
    for (let offset = 0; offset < file.length; offset += 1) {
      for (const flipped of [0x01, 0x41, 0x80, 0xff]) {
        const damaged = Buffer.from(file);
        damaged[offset] = (file[offset] ?? 0) ^ flipped;
        await expect(framesIn(damaged), `byte ${offset} by ${flipped}`).rejects.toMatchObject(isCorrupt);
      }
      await expect(framesIn(file.subarray(0, offset)), `${offset} bytes`).rejects.toMatchObject(isCorrupt);
    }
    for (const more of [Buffer.alloc(1), file.subarray(-8), file]) await expect(framesIn(Buffer.concat([file, more]))).rejects.toMatchObject(isCorrupt);
  });

  it('is refused with a frame that is missing, there twice, in the place of another, or of another file', async () => {
    const file = await written(texts('left', 'then', 'that'));
    const [header, left, then, that] = framesOf(file) as [Buffer, Buffer, Buffer, Buffer];
    const [, , foreign] = framesOf(await written(texts('left', 'them', 'that'))) as [Buffer, Buffer, Buffer];
    const of = (...frames: readonly Buffer[]): Buffer => Buffer.concat([file.subarray(0, 8), ...frames, file.subarray(-8)]);
    expect(of(header, left, then, that).equals(file)).toBe(true);
    const others = [[header, left, then], [header, then, that], [left, then, that], [header, left, left, then, that], [header, then, left, that], [header, left, foreign, that], [header, left, then, that, that]];
    for (const [index, frames] of others.entries()) await expect(framesIn(of(...frames)), `number ${index}`).rejects.toMatchObject(isCorrupt);
  });

  it('is refused where it has become shorter since its size was asked for', async () => {
    const file = await written([Buffer.alloc(5_000_000, 'x')]);
    for (const length of [0, 3, 1_000_000, 4_000_000, file.length - 1]) await expect(framesIn(file.subarray(0, length), file.length), `${length} bytes`).rejects.toMatchObject(isCorrupt);
  });

  it('of version 1 is read, and refused where any byte of it was changed, or it is cut off or goes on', async () => {
    expect((await framesIn(former)).slice(1)).toEqual(texts('newer', '', 'state'));
    for (let offset = 0; offset < former.length; offset += 1) {
      const damaged = Buffer.from(former);
      damaged[offset] = (former[offset] ?? 0) ^ 0x41;
      await expect(framesIn(damaged), `byte ${offset}`).rejects.toMatchObject(isCorrupt);
      await expect(framesIn(former.subarray(0, offset)), `${offset} bytes`).rejects.toMatchObject(isCorrupt);
    }
    await expect(framesIn(Buffer.concat([former, Buffer.alloc(1)]))).rejects.toMatchObject(isCorrupt);
  });
});

it('comes back as it was written, wherever frames lie in what is read at a time', async () => {
  const random = seededRandom(7);
  for (let round = 0; round < 12; round += 1) {
    const chunks = Array.from({ length: integerIn(random, 0, 30) }, () => {
      const longest = [20, 300_000, 3_000_000][integerIn(random, 0, 2)] ?? 0;
      return Buffer.alloc(integerIn(random, 0, longest), integerIn(random, 1, 255));
    });
    const file = await written(chunks);
    const [, ...read] = await framesIn(file);
    expect(read.length).toBe(chunks.length);
    for (const [index, chunk] of chunks.entries()) expect(read[index]?.equals(chunk), `round ${round}, chunk ${index}`).toBe(true);
  }
});
