import { compressionsAlgorithms, crc32c } from '@platformatic/kafka';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import type { ConsumedRecord } from '../../../src/core/records.ts';
import type { FetchedPartition } from '../../../src/transports/kafka/fetch-request.ts';
import { unpack } from '../../../src/transports/kafka/decompression.ts';
import { readBatch, visibleBatches } from '../../../src/transports/kafka/fetched-records.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 100_000);
const transactional = 0x10;
const control = 0x20;
const logAppendTime = 0x08;
const nowMs = 1_800_000_000_000;

type TestRecord = { readonly offsetDelta?: number; readonly timestampDelta?: number; readonly key?: Buffer | null; readonly value: Buffer | null; readonly headers?: readonly (readonly [string, Buffer | null])[] };
type TestBatch = {
  readonly base: bigint;
  readonly records: readonly TestRecord[];
  readonly lastOffsetDelta?: number;
  readonly attributes?: number;
  readonly producerId?: bigint;
  readonly magic?: number;
  readonly compress?: (bytes: Buffer) => Buffer;
};

function varint(value: number | bigint): Buffer {
  let zigzag = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  for (; zigzag > 127n; zigzag >>= 7n) bytes.push(Number(zigzag & 127n) | 128);
  return Buffer.from([...bytes, Number(zigzag)]);
}

const sized = (bytes: Buffer | null): Buffer => (bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]));

function recordOf({ offsetDelta = 0, timestampDelta = 0, key = null, value, headers = [] }: TestRecord): Buffer {
  const named = headers.flatMap(([name, header]) => [sized(Buffer.from(name)), sized(header)]);
  return sized(Buffer.concat([Buffer.from([0]), varint(timestampDelta), varint(offsetDelta), sized(key), sized(value), varint(headers.length), ...named]));
}

/** As the documentation of Kafka's record batches has it. */
function batchOf({ base, records, lastOffsetDelta, attributes = logAppendTime, producerId = -1n, magic = 2, compress = (bytes) => bytes }: TestBatch): Buffer {
  const body = compress(Buffer.concat(records.map((record, index) => recordOf({ offsetDelta: index, ...record }))));
  const batch = Buffer.alloc(61 + body.length);
  batch.writeBigInt64BE(base, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(magic, 16);
  batch.writeInt16BE(attributes, 21);
  batch.writeInt32BE(lastOffsetDelta ?? records.length - 1, 23);
  batch.writeBigInt64BE(1_000n, 27);
  batch.writeBigInt64BE(2_000n, 35);
  batch.writeBigInt64BE(producerId, 43);
  batch.writeInt32BE(records.length, 57);
  body.copy(batch, 61);
  batch.writeUInt32BE(crc32c(batch.subarray(21)) >>> 0, 17);
  return batch;
}

/** As Java's clients write it: blocks of 32 KiB behind a header, each with its length. */
function xerial(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])];
  for (let at = 0; at < bytes.length; at += 32_768) {
    const block = compressionsAlgorithms.snappy.compressSync(bytes.subarray(at, at + 32_768));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    blocks.push(length, block);
  }
  return Buffer.concat(blocks);
}

const marker = (base: bigint, producerId: bigint, type: 'abort' | 'commit'): Buffer =>
  batchOf({ base, producerId, attributes: logAppendTime | transactional | control, records: [{ key: Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]), value: Buffer.alloc(6) }] });

const values = (...names: readonly string[]): readonly TestRecord[] => names.map((name) => ({ value: Buffer.from(name) }));

function fetched(batches: readonly Buffer[], aborted: FetchedPartition['aborted'] = []): FetchedPartition {
  return { topic: 't', partition: 3, errorCode: 0, highWatermark: 0n, lastStableOffset: 0n, aborted, batches: Buffer.concat(batches) };
}

async function recordsOf(partition: FetchedPartition, from = 0n): Promise<{ readonly records: readonly ConsumedRecord[]; readonly next: bigint }> {
  const { batches, nextOffset } = await visibleBatches(partition, from);
  const records = batches.flatMap((batch) => {
    const { next, bytesLeft } = readBatch({ topic: 't', partition: 3, incarnation: 'i' }, batch, from, () => nowMs);
    const all: ConsumedRecord[] = [];
    expect(bytesLeft()).toBe(batch.records.length);
    for (let one = next(); one !== undefined; one = next()) all.push(one.record);
    expect(bytesLeft()).toBe(0);
    return all;
  });
  return { records, next: nextOffset };
}

const namesOf = async (partition: FetchedPartition, from = 0n): Promise<readonly string[]> => (await recordsOf(partition, from)).records.map(({ value }) => value.toString());

describe('record batches', () => {
  test('give records with offsets, append time, key, value and headers in their order', async () => {
    const headers = [['b', Buffer.from('1')], ['7', Buffer.from('2')], ['b', Buffer.from('3')], ['none', null]] as const;
    const { records, next } = await recordsOf(fetched([batchOf({ base: 40n, records: [{ key: Buffer.from('k'), value: Buffer.from('v'), headers }, { offsetDelta: 5, value: null }], lastOffsetDelta: 7 })]), 40n);
    expect(next).toBe(48n);
    expect(records.map(({ headers: of, ...record }) => ({ ...record, headers: [...of] }))).toEqual([
      { topic: 't', partition: 3, incarnation: 'i', sequence: 40n, nextPosition: '41', appendTimeMs: 2_000, key: Buffer.from('k'), value: Buffer.from('v'), headers: [['b', Buffer.from('3')], ['7', Buffer.from('2')], ['none', Buffer.alloc(0)]] },
      { topic: 't', partition: 3, incarnation: 'i', sequence: 45n, nextPosition: '46', appendTimeMs: 2_000, key: null, value: Buffer.alloc(0), headers: [] },
    ]);
  });

  test('keep offsets exact where numbers are not', async () => {
    const base = 2n ** 62n + 1n;
    const { records } = await recordsOf(fetched([batchOf({ base, records: values('a', 'b') })]), base);
    expect(records.map(({ sequence, nextPosition }) => [sequence, nextPosition])).toEqual([[base, (base + 1n).toString()], [base + 1n, (base + 2n).toString()]]);
  });

  test('begin before the fetched offset: what stands before it is left out', async () => {
    expect(await namesOf(fetched([batchOf({ base: 0n, records: values('a', 'b', 'c') }), batchOf({ base: 3n, records: values('d') })]), 2n)).toEqual(['c', 'd']);
  });

  test('that are cut off, or emptied by compaction, end nothing and are passed', async () => {
    const whole = batchOf({ base: 0n, records: values('a') });
    const cut = batchOf({ base: 9n, records: values('never') }).subarray(0, 70);
    const { records, next } = await recordsOf(fetched([whole, batchOf({ base: 1n, records: [], lastOffsetDelta: 7 }), cut]));
    expect(records).toHaveLength(1);
    expect(next).toBe(9n);
  });

  test.for([
    ['gzip', 1, (bytes: Buffer) => gzipSync(bytes)],
    ['zstd', 4, (bytes: Buffer) => zstdCompressSync(bytes)],
  ] as const)('compressed with %s', async ([, codec, compress]) => {
    expect(await namesOf(fetched([batchOf({ base: 0n, records: values('a', 'b'), attributes: logAppendTime | codec, compress })]))).toEqual(['a', 'b']);
  });

  test('with times of their producers count as now at the latest', async () => {
    const records = [{ value: Buffer.from('old'), timestampDelta: 500 }, { value: Buffer.from('2099'), timestampDelta: Date.UTC(2099, 0, 1) }, { value: Buffer.from('before'), timestampDelta: -600 }];
    const read = await recordsOf(fetched([batchOf({ base: 0n, records, attributes: 0 })]));
    expect(read.records.map(({ appendTimeMs }) => appendTimeMs)).toEqual([1_500, nowMs, 400]);
  });

  test.each([
    ['gzip', 1, gzipSync],
    ['snappy', 2, compressionsAlgorithms.snappy.compressSync],
    ['snappy of Java', 2, xerial],
    ['lz4', 3, compressionsAlgorithms.lz4.compressSync],
    ['zstd', 4, zstdCompressSync],
  ] as const)('compressed with %s are unpacked up to a bound, one by one where they are more together', async (_name, codec, compress) => {
    const of = (mebibytes: number): Buffer =>
      batchOf({ base: 0n, records: [{ value: Buffer.alloc(mebibytes * 1024 * 1024) }], attributes: logAppendTime | codec, compress });
    const [small, medium, large] = [of(0), of(40), of(65)] as const;
    const moved = (batch: Buffer) => {
      const next = Buffer.from(batch);
      next.writeBigInt64BE(1n, 0);
      return next;
    };
    await expect(visibleBatches(fetched([large]), 0n)).rejects.toMatchObject({ code: 'LS_KAFKA_RECORDS_UNREADABLE', details: { offset: 0n } });
    expect((await visibleBatches(fetched([small, moved(large)]), 0n)).nextOffset).toBe(1n);
    expect((await visibleBatches(fetched([medium, moved(medium)]), 0n)).nextOffset).toBe(1n);
    expect((await visibleBatches(fetched([moved(medium)]), 1n)).nextOffset).toBe(2n);
  });

  test('whose sizes cannot be told beforehand unpack to what they were (LZ4, 200 random ones)', async () => {
    console.info(`seed ${seed}`);
    const random = seededRandom(seed);
    for (let index = 0; index < 200; index += 1) {
      const variety = 1 + Math.floor(random() * 255);
      const value = Buffer.from(Array.from({ length: Math.floor(random() * 3_000) }, () => Math.floor(random() * variety)));
      const bytes = Buffer.concat(Array.from({ length: 1 + Math.floor(random() * 200) }, () => value));
      const packed = compressionsAlgorithms.lz4.compressSync(bytes);
      expect((await unpack(packed, 3, bytes.length)).equals(bytes)).toBe(true);
      if (bytes.length > 0) await expect(unpack(packed, 3, bytes.length - 1)).rejects.toThrow('more than');
    }
  });

  test('of an old format, of unknown compression or damaged are refused by name, and what stands before them is read', async () => {
    const good = batchOf({ base: 0n, records: values('a') });
    const damaged = batchOf({ base: 1n, records: values('b'), attributes: logAppendTime | 1, compress: (bytes) => bytes });
    for (const bad of [batchOf({ base: 1n, records: values('b'), magic: 1 }), batchOf({ base: 1n, records: values('b'), attributes: logAppendTime | 6 }), damaged]) {
      expect(await recordsOf(fetched([good, bad]))).toMatchObject({ next: 1n });
      await expect(visibleBatches(fetched([bad]), 1n)).rejects.toMatchObject({ code: 'LS_KAFKA_RECORDS_UNREADABLE', details: { offset: 1n } });
    }
    const lying = batchOf({ base: 1n, records: values('b') });
    lying[61 + 4] = 100;
    await expect(recordsOf(fetched([lying]), 1n)).rejects.toMatchObject({ code: 'LS_KAFKA_RECORDS_UNREADABLE' });
  });
});

describe('aborted transactions', () => {
  const of = (base: bigint, producerId: bigint, ...names: readonly string[]): Buffer => batchOf({ base, producerId, attributes: logAppendTime | transactional, records: values(...names) });

  test('are left out up to their marker, whoever writes in between', async () => {
    const batches = [of(0n, 1n, 'aborted'), of(1n, 2n, 'kept'), of(2n, 1n, 'aborted'), marker(3n, 1n, 'abort'), of(4n, 1n, 'kept later'), marker(5n, 1n, 'commit'), marker(6n, 2n, 'commit')];
    expect(await recordsOf(fetched(batches, [{ producerId: 1n, firstOffset: 0n }]))).toMatchObject({ next: 7n });
    expect(await namesOf(fetched(batches, [{ producerId: 1n, firstOffset: 0n }]))).toEqual(['kept', 'kept later']);
  });

  test('that both began before the fetched offset are both left out from the first record on', async () => {
    const batches = [of(10n, 2n, 'aborted'), of(11n, 1n, 'aborted'), marker(12n, 2n, 'abort'), marker(13n, 1n, 'abort'), of(14n, 1n, 'kept')];
    // As the broker lists them: by their end.
    const aborted = [{ producerId: 2n, firstOffset: 4n }, { producerId: 1n, firstOffset: 3n }];
    expect(await namesOf(fetched(batches, aborted), 10n)).toEqual(['kept']);
  });

  test('do not end with a record whose key looks like a marker', async () => {
    const disguised = batchOf({ base: 1n, producerId: 1n, attributes: logAppendTime | transactional, records: [{ key: Buffer.alloc(4), value: Buffer.from('aborted') }] });
    expect(await namesOf(fetched([of(0n, 1n, 'aborted'), disguised, of(2n, 1n, 'aborted'), marker(3n, 1n, 'abort')], [{ producerId: 1n, firstOffset: 0n }]))).toEqual([]);
  });

  test('leave out nothing that is not part of a transaction, and nothing of a later one that goes on after the fetch', async () => {
    const plain = batchOf({ base: 1n, producerId: 1n, records: values('plain') });
    expect(await namesOf(fetched([plain, of(2n, 1n, 'before')], [{ producerId: 1n, firstOffset: 3n }]), 1n)).toEqual(['plain', 'before']);
  });
});
