/**
 * Arrays as numpy writes them (.npy, versions 1 to 3): a head that says type, order and shape, then the values. Values are read as they come, row by row.
 *
 *     \x93NUMPY, version, length of the head, {'descr': '<f4', 'fortran_order': False, 'shape': (29, 96), }, values
 */
import { importFileError } from './import-file-error.ts';
import type { ZipEntry } from './zip-archive.ts';

type Kind = 'float' | 'integer' | 'text' | 'bytes';

export type NpyHead = {
  readonly kind: Kind;
  /** Of one value. */
  readonly bytes: number;
  readonly isLittleEndian: boolean;
  readonly shape: readonly number[];
};

export type NpyArray = NpyHead & {
  readonly name: string;
  /** All values of a row (of one dimension: a value) after the other. */
  readonly rows: () => AsyncGenerator<DataView>;
};

const mark = Buffer.from('\x93NUMPY', 'latin1');
const headBytesMax = 64 * 1024;
/** Of one row. */
const rowBytesMax = 4 * 1024 * 1024;

/** Reads the head. Rejects with LS_CLI_IMPORT_FILE. */
export async function openArray(entry: ZipEntry): Promise<NpyArray> {
  const name = entry.name.replace(/\.npy$/, '');
  const { head, headBytes } = await headOf(name, entry);
  const rowBytes = head.bytes * head.shape.slice(1).reduce((product, length) => product * length, 1);
  const count = head.shape[0] ?? 1;
  if (rowBytes > rowBytesMax) throw importFileError(`${name}: a row has ${rowBytes} bytes; at most ${rowBytesMax} are read`);
  if (!Number.isSafeInteger(count * rowBytes) || entry.bytes !== headBytes + count * rowBytes) throw importFileError(`${name}: it has ${entry.bytes} bytes, which its shape (${head.shape.join(', ')}) does not say`);
  async function* rows(): AsyncGenerator<DataView> {
    const reader = createReader(entry.content());
    await reader.take(headBytes);
    for (let row = 0; row < count; row++) {
      const { buffer, byteOffset, byteLength } = await reader.take(rowBytes);
      yield new DataView(buffer, byteOffset, byteLength);
    }
    await reader.end();
  }
  return { ...head, name, rows };
}

async function headOf(name: string, entry: ZipEntry): Promise<{ readonly head: NpyHead; readonly headBytes: number }> {
  const reader = createReader(entry.content());
  try {
    const start = await reader.take(8);
    const version = start[6] ?? 0;
    if (!start.subarray(0, 6).equals(mark) || version < 1 || version > 3) throw importFileError(`${name}: it is no array as numpy writes it (.npy, versions 1 to 3)`);
    const length = version === 1 ? (await reader.take(2)).readUInt16LE(0) : (await reader.take(4)).readUInt32LE(0);
    if (length > headBytesMax) throw importFileError(`${name}: its head has ${length} bytes`);
    const text = (await reader.take(length)).toString(version === 3 ? 'utf8' : 'latin1');
    return { head: parseHead(name, text), headBytes: 8 + (version === 1 ? 2 : 4) + length };
  } finally {
    await reader.stop();
  }
}

const types: Readonly<Record<string, readonly [Kind, readonly number[]]>> = { f: ['float', [4, 8]], i: ['integer', [1, 2, 4, 8]], U: ['text', []], S: ['bytes', []] };

function parseHead(name: string, text: string): NpyHead {
  const [, order = '', letter = '', digits = ''] = /'descr':\s*'([<>|=])([a-zA-Z])(\d*)'/.exec(text) ?? [];
  if (letter === 'O') throw importFileError(`${name}: it is an array of Python objects, a pickle, which is not read, because reading one runs what is in it`);
  const [kind, sizes] = types[letter] ?? [];
  const size = Number(digits);
  const bytes = letter === 'U' ? 4 * size : size;
  const isKnown = kind !== undefined && size > 0 && (sizes?.length === 0 || sizes?.includes(size) === true);
  if (!isKnown) throw importFileError(`${name}: values of type ${JSON.stringify(/'descr':\s*([^,]{0,60})/.exec(text)?.[1] ?? '')} are not read; floats of 4 or 8 bytes, integers with a sign, and texts are`);
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(text)?.[1];
  if (shape === undefined) throw importFileError(`${name}: its head says no shape`);
  const lengths = shape.split(',').map((part) => part.trim()).filter((part) => part !== '').map(Number);
  if (lengths.length > 1 && /'fortran_order':\s*True/.test(text)) throw importFileError(`${name}: its columns come one after the other (Fortran order), its rows are wanted so: numpy.ascontiguousarray makes them`);
  return { kind, bytes, isLittleEndian: order !== '>', shape: lengths };
}

type Reader = {
  /** Of its own memory. Rejects with LS_CLI_IMPORT_FILE where there is less. */
  readonly take: (length: number) => Promise<Buffer>;
  /** Rejects where there is more, or what was read is damaged. */
  readonly end: () => Promise<void>;
  readonly stop: () => Promise<unknown>;
};

function createReader(content: AsyncIterable<Buffer>): Reader {
  const chunks = content[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return {
    take: async (length) => {
      const taken = Buffer.alloc(length);
      for (let filled = 0; filled < length; ) {
        if (rest.length === 0) {
          const next = await chunks.next();
          if (next.done === true) throw importFileError('it ends too soon');
          rest = next.value;
        }
        const copied = rest.copy(taken, filled);
        filled += copied;
        rest = rest.subarray(copied);
      }
      return taken;
    },
    end: async () => {
      if (rest.length > 0 || (await chunks.next()).done !== true) throw importFileError('it holds more than its shape says');
    },
    stop: async () => chunks.return?.(),
  };
}

/** How a value of the array is read from a row. */
export function numberReader({ name, kind, bytes, isLittleEndian: little }: Pick<NpyArray, 'name' | 'kind' | 'bytes' | 'isLittleEndian'>): (row: DataView, index: number) => number {
  if (kind === 'float') return bytes === 4 ? (row, index) => row.getFloat32(index * 4, little) : (row, index) => row.getFloat64(index * 8, little);
  if (kind !== 'integer') throw importFileError(`${name}: numbers are wanted there`);
  switch (bytes) {
    case 1:
      return (row, index) => row.getInt8(index);
    case 2:
      return (row, index) => row.getInt16(index * 2, little);
    case 4:
      return (row, index) => row.getInt32(index * 4, little);
    default:
      return (row, index) => Number(row.getBigInt64(index * 8, little));
  }
}

/** Of a text: without the zeros that fill it up. */
export function textReader({ name, kind, bytes, isLittleEndian: little }: Pick<NpyArray, 'name' | 'kind' | 'bytes' | 'isLittleEndian'>): (row: DataView) => string {
  if (kind === 'bytes') {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return (row) => {
      try {
        return decoder.decode(row).replace(/\0+$/, '');
      } catch (error) {
        throw importFileError(`${name}: it holds bytes that are no text in UTF-8`, error);
      }
    };
  }
  if (kind !== 'text') throw importFileError(`${name}: texts are wanted there`);
  return (row) => {
    let text = '';
    for (let offset = 0; offset < bytes; offset += 4) {
      const point = row.getUint32(offset, little);
      if (point > 0x10ffff) throw importFileError(`${name}: it holds what is no text`);
      text += String.fromCodePoint(point);
    }
    return text.replace(/\0+$/, '');
  };
}
