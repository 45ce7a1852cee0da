/**
 * A table of records, each a few int32 fields side by side, so that whoever looks at several fields of a record pays for one cache line.
 *
 *   chunks[0]   | record 0: field 0, field 1, ... | record 1: ... | ... 65,536 records
 *   chunks[1]   | record 65,536 ...
 *
 * Chunks are never copied once they are full, so growth costs neither time nor memory at once; the first one grows by doubling, since most
 * collections are small.
 */
export type Records = { readonly stride: number; readonly chunks: Int32Array[] };

const chunkBits = 16;
const chunkRecords = 1 << chunkBits;
const chunkMask = chunkRecords - 1;
const recordsMin = 16;

export function createRecords(stride: number): Records {
  return { stride, chunks: [] };
}

/** How many records there is room for. */
export function capacityOf({ stride, chunks }: Records): number {
  const last = chunks.at(-1);
  return last === undefined ? 0 : (chunks.length - 1) * chunkRecords + last.length / stride;
}

/** Makes room for a record; the fields of new records are 0. */
export function ensureRecord(records: Records, index: number): void {
  while (index >= capacityOf(records)) grow(records);
}

function grow({ stride, chunks }: Records): void {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined && first.length < chunkRecords * stride) {
    const grown = new Int32Array(2 * first.length);
    grown.set(first);
    chunks[0] = grown;
  } else chunks.push(new Int32Array((first === undefined ? recordsMin : chunkRecords) * stride));
}

export function readField(records: Records, index: number, field: number): number {
  return (records.chunks[index >> chunkBits] as Int32Array)[(index & chunkMask) * records.stride + field] as number;
}

export function writeField(records: Records, index: number, field: number, value: number): void {
  (records.chunks[index >> chunkBits] as Int32Array)[(index & chunkMask) * records.stride + field] = value;
}

export function addToField(records: Records, index: number, field: number, addend: number): number {
  const chunk = records.chunks[index >> chunkBits] as Int32Array;
  const place = (index & chunkMask) * records.stride + field;
  return (chunk[place] = (chunk[place] as number) + addend);
}

export function copyRecords({ stride, chunks }: Records): Records {
  return { stride, chunks: chunks.map((chunk) => chunk.slice()) };
}

export function recordsBytes({ chunks }: Records): number {
  return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
