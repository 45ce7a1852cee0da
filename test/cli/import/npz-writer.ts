/** Archives as numpy.savez writes them, whole or spoilt in the ways that a test wants. */
import { crc32, deflateRawSync } from 'node:zlib';

export type ZipOptions = {
  readonly deflate?: boolean;
  /** Sizes and places as archives of more than 4 GiB have them. */
  readonly far?: boolean;
  /** What the directory says of `vectors`, where it lies. */
  readonly claims?: { readonly bytes?: number; readonly checksum?: number; readonly flags?: number };
};

/** @param order of its bytes: `<` or `>`. */
export function npy(descr: string, shape: readonly number[], values: Uint8Array, { version = 1, fortran = false } = {}): Buffer {
  const head = Buffer.from(`{'descr': ${descr}, 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }\n`);
  const length = version === 1 ? Buffer.from(Uint16Array.of(head.length).buffer) : Buffer.from(Uint32Array.of(head.length).buffer);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.of(version, 0), length, head, values]);
}

export const bytesOf = (array: Float32Array | Float64Array | BigInt64Array | Int32Array): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
export const float32 = (rows: readonly (readonly number[])[]): Buffer => npy("'<f4'", [rows.length, rows[0]?.length ?? 0], bytesOf(Float32Array.from(rows.flat())));
export const int64 = (values: readonly number[]): Buffer => npy("'<i8'", [values.length], bytesOf(BigInt64Array.from(values.map(BigInt))));
export const float64Scalar = (value: number): Buffer => npy("'<f8'", [], bytesOf(Float64Array.of(value)));
export const int64Scalar = (value: number): Buffer => npy("'<i8'", [], bytesOf(BigInt64Array.of(BigInt(value))));

/** As numpy's `<U`. */
export function unicode(values: readonly string[], { isScalar = false, isBig = false } = {}): Buffer {
  const texts = values.map((value) => Array.from(value, (character) => character.codePointAt(0) ?? 0));
  const width = Math.max(1, ...texts.map(({ length }) => length));
  const points = texts.flatMap((text) => [...text, ...Array.from({ length: width - text.length }, () => 0)]);
  const bytes = bytesOf(Int32Array.from(points));
  return npy(`'${isBig ? '>' : '<'}U${width}'`, isScalar ? [] : [values.length], isBig ? bytes.swap32() : bytes);
}

export function zip(entries: Readonly<Record<string, Buffer>>, { deflate = false, far = false, claims = {} }: ZipOptions = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let place = 0;
  for (const [name, content] of Object.entries(entries)) {
    const stored = deflate ? deflateRawSync(content) : content;
    const file = Buffer.from(`${name}.npy`);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(file.length, 26);
    parts.push(local, file, stored);
    const { bytes = content.length, checksum = crc32(content), flags = 0 } = name === 'vectors' ? claims : {};
    const extra = Buffer.alloc(far ? 28 : 0);
    if (far) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [index, value] of [bytes, stored.length, place].entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
    }
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(deflate ? 8 : 0, 10);
    entry.writeUInt32LE(checksum, 16);
    for (const [index, value] of [stored.length, bytes].entries()) entry.writeUInt32LE(far ? 0xffffffff : value, 20 + 4 * index);
    entry.writeUInt16LE(file.length, 28);
    entry.writeUInt16LE(extra.length, 30);
    entry.writeUInt32LE(far ? 0xffffffff : place, 42);
    directory.push(entry, file, extra);
    place += 30 + file.length + stored.length;
  }
  const all = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(entries).length, 10);
  end.writeUInt32LE(all.length, 12);
  end.writeUInt32LE(far ? 0xffffffff : place, 16);
  return Buffer.concat([...parts, all, ...(far ? farEnd(Object.keys(entries).length, all.length, place) : []), end]);
}

function farEnd(count: number, bytes: number, start: number): readonly Buffer[] {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  for (const [offset, value] of [[4, 44], [32, count], [40, bytes], [48, start]] as const) record.writeBigUInt64LE(BigInt(value), offset);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(start + bytes), 8);
  return [record, locator];
}
