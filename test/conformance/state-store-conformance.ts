/** What every store of snapshots has to do, wherever it keeps them. */
import { expect, it } from 'vitest';
import { stateError } from '../../src/core/errors/state.ts';
import type { SnapshotHeader, SnapshotKey, StateStore, StoredSnapshot } from '../../src/pipeline/state-store.ts';

export type StateStoreHarness = {
  /** As a new process would. */
  readonly open: () => StateStore;
  /** What was passed over. */
  readonly corrupted: readonly Error[];
  /** Of the snapshots of `conformanceKey` that anybody can see, in their order. */
  readonly names: () => Promise<readonly string[]>;
  readonly pathOf: (name: string) => string;
  readonly read: (name: string) => Promise<Buffer>;
  /** Puts bytes in the place of a snapshot, behind the store's back. */
  readonly replace: (name: string, bytes: Buffer) => Promise<void>;
};

export const conformanceKey: SnapshotKey = { stage: 'cluster', topic: 'features', incarnation: 'a/b', partition: 2 };
export const headerAt = (sequence: bigint): SnapshotHeader => ({ ...conformanceKey, sequence, position: `position ${sequence}` });
export const chunksAt = (sequence: bigint): Buffer[] => [Buffer.from(`state at ${sequence}`), Buffer.alloc(0), Buffer.alloc(700_000, Number(sequence % 251n))];
export const snapshotName = (sequence: number): string => `${String(sequence).padStart(20, '0')}.snapshot`;

export const copied = async ({ header, chunks }: StoredSnapshot): Promise<{ header: SnapshotHeader; chunks: Buffer[] }> => ({
  header,
  chunks: await Array.fromAsync(chunks, (chunk) => Buffer.from(chunk)),
});

export function restored(store: StateStore, sequence: bigint): Promise<{ header: SnapshotHeader; chunks: Buffer[] } | undefined> {
  return store.readNewest(conformanceKey, sequence, copied);
}

/** @param damagedEvery in how many of the bytes of a snapshot damage is tried: 1, of all. */
export function testStateStore(harness: () => StateStoreHarness, { damagedEvery }: { readonly damagedEvery: number }): void {
  testKeeping(harness);
  testWriting(harness);
  testDamage(harness, damagedEvery);
  testReading(harness);
}

function testKeeping(harness: () => StateStoreHarness): void {
  it('gives back the newest at or below a sequence, header and chunks as they were', async () => {
    const store = harness().open();
    expect(await restored(store, 100n)).toBeUndefined();
    for (const sequence of [5n, 9n]) await store.write(headerAt(sequence), chunksAt(sequence));
    expect(await restored(harness().open(), 4n)).toBeUndefined();
    for (const [asked, sequence] of [[8n, 5n], [9n, 9n]] as const) {
      const found = await restored(harness().open(), asked);
      expect(found?.header).toEqual(headerAt(sequence));
      expect(found?.chunks.map((chunk) => chunk.length)).toEqual(chunksAt(sequence).map((chunk) => chunk.length));
      // Comparing so many bytes through the matcher takes seconds.
      expect(Buffer.concat(found?.chunks ?? []).equals(Buffer.concat(chunksAt(sequence)))).toBe(true);
    }
    expect(await store.readNewest({ ...conformanceKey, partition: 3 }, 100n, copied)).toBeUndefined();
    expect(await store.readNewest({ ...conformanceKey, incarnation: 'c' }, 100n, copied)).toBeUndefined();
  });

  it('names everything that it holds of a stage, of other lives of a topic, too', async () => {
    const store = harness().open();
    expect(await store.names('cluster')).toEqual([]);
    await store.write(headerAt(7n), [Buffer.from('x')]);
    await store.write({ ...headerAt(8n), incarnation: 'before', partition: 0 }, [Buffer.from('x')]);
    await store.write({ ...headerAt(9n), stage: 'another' }, [Buffer.from('x')]);
    await harness().replace('left by a crash', Buffer.from('x'));
    expect([...(await store.names('cluster'))].sort()).toEqual([`cluster/features-a%2Fb/2/${snapshotName(7)}`, 'cluster/features-a%2Fb/2/left by a crash', `cluster/features-before/0/${snapshotName(8)}`]);
  });

  it('keeps the newest three, sorted by number, and lists them', async () => {
    const store = harness().open();
    expect(await store.list(conformanceKey)).toEqual([]);
    for (const sequence of [1n, 20n, 3n, 100n, 99n]) await store.write(headerAt(sequence), [Buffer.from('x')]);
    expect(await harness().names()).toEqual([20, 99, 100].map(snapshotName));
    expect(await store.list(conformanceKey)).toEqual([100n, 99n, 20n]);
    expect(await store.list({ ...conformanceKey, partition: 3 })).toEqual([]);
  });

  it('removes what stands above a sequence, of that partition alone, and writes and keeps as if it had never been', async () => {
    const store = harness().open();
    const other = { ...headerAt(90n), partition: 3 };
    const ofSimilarName = { ...headerAt(90n), partition: 20 };
    expect(await store.discardAbove(conformanceKey, 4n), 'nothing there yet').toEqual([]);
    for (const header of [other, ofSimilarName]) await store.write(header, [Buffer.from('of another partition')]);
    for (const sequence of [5n, 9n, 20n]) await store.write(headerAt(sequence), [Buffer.from(`lost ${sequence}`)]);
    expect(await harness().open().discardAbove(conformanceKey, 5n)).toEqual([20n, 9n]);
    expect(await harness().open().discardAbove(conformanceKey, 5n)).toEqual([]);
    for (const sequence of [7n, 9n]) await store.write(headerAt(sequence), [Buffer.from(`new ${sequence}`)]);
    expect((await restored(store, 8n))?.chunks.map(String)).toEqual(['new 7']);
    expect((await restored(store, 100n))?.chunks.map(String)).toEqual(['new 9']);
    expect((await restored(store, 5n))?.chunks.map(String)).toEqual(['lost 5']);
    expect((await store.readNewest(other, 100n, copied))?.header).toEqual(other);
    expect((await store.readNewest(ofSimilarName, 100n, copied))?.header).toEqual(ofSimilarName);
  });
}

function testWriting(harness: () => StateStoreHarness): void {
  it('copies chunks: the stage may fill one buffer again and again', async () => {
    const store = harness().open();
    const buffer = Buffer.alloc(4);
    const chunks = function* () {
      for (let value = 0; value < 5; value += 1) yield buffer.fill(value);
    };
    await store.write(headerAt(5n), chunks());
    expect((await restored(store, 5n))?.chunks).toEqual([0, 1, 2, 3, 4].map((value) => Buffer.alloc(4, value)));
  });

  it('lets through what the stage throws while it is being written, and leaves nothing under the name', async () => {
    const error = new TypeError('a defect of the stage');
    const chunks = function* (): Generator<Buffer> {
      yield Buffer.alloc(5_000_000);
      throw error;
    };
    const store = harness().open();
    await expect(store.write(headerAt(5n), chunks())).rejects.toBe(error);
    expect(await harness().names()).toEqual([]);
    await store.write(headerAt(5n), [Buffer.from('whole')]);
    expect((await restored(store, 5n))?.chunks.map(String)).toEqual(['whole']);
  });

  it('has one of two that two write at once under one name, whole', async () => {
    const texts = ['left', 'right'];
    const outcomes = await Promise.allSettled(texts.map((text) => harness().open().write(headerAt(5n), Array.from({ length: 20 }, () => Buffer.alloc(500_000, text)))));
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
    const found = await restored(harness().open(), 5n);
    expect(found?.chunks.length).toBe(20);
    expect(texts.some((text) => found?.chunks.every((chunk) => chunk.equals(Buffer.alloc(500_000, text))))).toBe(true);
  });

  it('lets others run while it writes', async () => {
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 0);
    await harness().open().write(headerAt(5n), Array.from({ length: 40 }, () => Buffer.alloc(300_000)));
    clearInterval(counting);
    expect(turns).toBeGreaterThan(3);
  });
}

function testDamage(harness: () => StateStoreHarness, damagedEvery: number): void {
  it('never overwrites one that is whole, and replaces one that is not', async () => {
    const store = harness().open();
    await store.write(headerAt(5n), [Buffer.from('first')]);
    await store.write(headerAt(5n), [Buffer.from('second')]);
    expect((await restored(store, 5n))?.chunks).toEqual([Buffer.from('first')]);
    const whole = await harness().read(snapshotName(5));
    await harness().replace(snapshotName(5), whole.subarray(0, 40));
    await store.write(headerAt(5n), [Buffer.from('third')]);
    expect((await restored(store, 5n))?.chunks).toEqual([Buffer.from('third')]);
  });

  it('passes over a snapshot in which any byte was changed, or that ends early, and reports it', async () => {
    const { open, read, replace, corrupted, pathOf } = harness();
    const store = open();
    await store.write(headerAt(5n), [Buffer.from('older')]);
    await store.write(headerAt(9n), [Buffer.from('newer'), Buffer.from('state')]);
    const whole = await read(snapshotName(9));
    for (let offset = 0; offset < whole.length; offset += damagedEvery) {
      for (const damaged of [Buffer.from(whole).fill((whole[offset] ?? 0) ^ 0x41, offset, offset + 1), whole.subarray(0, offset)]) {
        await replace(snapshotName(9), damaged);
        const before = corrupted.length;
        expect((await restored(store, 9n))?.header.sequence, `offset ${offset}`).toBe(5n);
        expect(corrupted.slice(before).map(({ message }) => message.split('is passed over').length - 1), 'said once').toEqual([1]);
        expect(corrupted.slice(before)).toEqual([expect.objectContaining({ code: 'LS_STATE_SNAPSHOT_CORRUPT', details: expect.objectContaining({ path: pathOf(snapshotName(9)) }) as unknown })]);
      }
    }
    await replace(snapshotName(9), whole);
    expect((await restored(store, 9n))?.header.sequence).toBe(9n);
    await replace(snapshotName(10), whole);
    expect((await restored(store, 10n))?.header.sequence, 'one under another name').toBe(9n);
  });
}

function testReading(harness: () => StateStoreHarness): void {
  /** An older one, and a newer one whose last byte, of the checksum at the end, is another. */
  const writeDamaged = async (store: StateStore): Promise<void> => {
    for (const sequence of [5n, 9n]) await store.write(headerAt(sequence), chunksAt(sequence));
    const whole = await harness().read(snapshotName(9));
    await harness().replace(snapshotName(9), Buffer.from(whole).fill((whole.at(-1) ?? 0) ^ 1, whole.length - 1));
  };
  const first = async (chunks: AsyncIterable<Buffer>): Promise<string> => {
    for await (const chunk of chunks) return chunk.toString();
    return 'nothing';
  };
  const readers: Readonly<Record<string, (chunks: AsyncIterable<Buffer>) => Promise<unknown>>> = {
    'reads nothing of it': () => Promise.resolve(),
    'reads no more than its beginning': first,
    'reads all of it': (chunks) => Array.fromAsync(chunks, ({ length }) => length),
    'does not mind that it ends with an error': (chunks) => Array.fromAsync(chunks, ({ length }) => length).catch(() => undefined),
    'fails before its end': async (chunks) => Promise.reject(new RangeError(`made of what is no snapshot: ${await first(chunks)}`)),
  };

  it.each(Object.keys(readers))('takes nothing of one that is damaged behind, told once, and goes on with the one before, where who reads it %s', async (name) => {
    const { open, corrupted } = harness();
    const store = open();
    await writeDamaged(store);
    const before = corrupted.length;
    const asked: bigint[] = [];
    const read = async ({ header: { sequence }, chunks }: StoredSnapshot): Promise<bigint> => {
      asked.push(sequence);
      if (sequence === 9n) await readers[name]?.(chunks);
      return sequence;
    };
    expect(await store.readNewest(conformanceKey, 100n, read)).toBe(5n);
    expect(asked).toEqual([9n, 5n]);
    expect(corrupted.slice(before)).toEqual([expect.objectContaining({ code: 'LS_STATE_SNAPSHOT_CORRUPT' })]);
    const told: Error[] = [];
    await store.readNewest(conformanceKey, 100n, read, (error) => told.push(error));
    expect([told.length, corrupted.length], 'to whom it is to be told').toEqual([1, before + 1]);
  });

  it('fails as who reads one that is whole does, and asks him for no other', async () => {
    const { open, corrupted } = harness();
    const store = open();
    for (const sequence of [5n, 9n]) await store.write(headerAt(sequence), chunksAt(sequence));
    const before = corrupted.length;
    for (const error of [new TypeError('of another version'), stateError('LS_STATE_SNAPSHOT_CORRUPT', 'of something else')]) {
      const asked: bigint[] = [];
      const refused = store.readNewest(conformanceKey, 100n, async ({ header, chunks }) => {
        asked.push(header.sequence);
        await first(chunks);
        throw error;
      });
      await expect(refused).rejects.toBe(error);
      expect(asked).toEqual([9n]);
    }
    expect(corrupted.length).toBe(before);
  });
}
