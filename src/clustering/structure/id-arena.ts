/**
 * The bytes of the itemIds (or of other short things), without an object for each. An id is placed in units of 4 bytes, behind its length (1 byte, or 255 and 4 more), and
 * is named by the number of its first unit. What is removed goes to the next id of as many units: ids of a collection are mostly of a length.
 */
export type IdArena = {
  readonly blocks: Buffer[];
  /** Units taken of the last block. */
  usedUnits: number;
  /** Units -> the first of the free places of that size; each holds the number of the next. */
  readonly freePlaces: Map<number, number>;
  /** Called with the number of a block before anything is written into it; may put a copy in its place. */
  readonly beforeWrite: ((block: number) => void) | undefined;
};

const unitBytes = 4;
const blockBits = 14;
const blockUnits = 1 << blockBits;
const blockMask = blockUnits - 1;
const unitsMin = 64;
const longLength = 255;
/** Up to so many, a loop is quicker than a call. */
const shortBytes = 64;
const none = 0xffff_ffff;

export function createIdArena(beforeWrite?: IdArena['beforeWrite']): IdArena {
  return { blocks: [], usedUnits: blockUnits, freePlaces: new Map(), beforeWrite };
}

/** An id somewhere in a buffer. */
export type IdSpan = { readonly bytes: Buffer; readonly start: number; readonly length: number };

/** @returns the number of the place. */
export function placeId(arena: IdArena, { bytes, start: from, length }: IdSpan): number {
  const prefix = length < longLength ? 1 : 5;
  const place = takePlace(arena, Math.ceil((prefix + length) / unitBytes));
  const block = blockToWrite(arena, place);
  const start = offsetOf(place);
  if (prefix === 1) block[start] = length;
  else {
    block[start] = longLength;
    block.writeUInt32LE(length, start + 1);
  }
  const to = start + prefix;
  if (length > shortBytes) bytes.copy(block, to, from, from + length);
  else for (let index = 0; index < length; index++) block[to + index] = bytes[from + index] as number;
  return place;
}

function takePlace(arena: IdArena, units: number): number {
  const free = arena.freePlaces.get(units);
  if (free !== undefined) {
    const next = blockOf(arena, free).readUInt32LE(offsetOf(free));
    if (next === none) arena.freePlaces.delete(units);
    else arena.freePlaces.set(units, next);
    return free;
  }
  if (arena.usedUnits + units > blockUnits) {
    // One that is longer than a block has a larger one to itself.
    arena.blocks.push(Buffer.alloc(Math.max(units, arena.blocks.length === 0 ? unitsMin : blockUnits) * unitBytes));
    arena.usedUnits = 0;
  } else growFirst(arena, arena.usedUnits + units);
  const place = (arena.blocks.length - 1) * blockUnits + arena.usedUnits;
  arena.usedUnits += units;
  return place;
}

/** Most collections are small: their one block grows by doubling. */
function growFirst({ blocks }: IdArena, units: number): void {
  const last = blocks.at(-1);
  if (last === undefined || last.length >= units * unitBytes) return;
  const grown = Buffer.alloc(Math.min(blockUnits, Math.max(units, 2 * (last.length / unitBytes))) * unitBytes);
  last.copy(grown);
  blocks[blocks.length - 1] = grown;
}

export function freeId(arena: IdArena, place: number): void {
  const length = idLength(arena, place);
  const units = Math.ceil((length + (length < longLength ? 1 : 5)) / unitBytes);
  blockToWrite(arena, place).writeUInt32LE(arena.freePlaces.get(units) ?? none, offsetOf(place));
  arena.freePlaces.set(units, place);
}

function idLength(arena: IdArena, place: number): number {
  const block = blockOf(arena, place);
  const start = offsetOf(place);
  const short = block[start] as number;
  return short < longLength ? short : block.readUInt32LE(start + 1);
}

/** A view, until the id is freed. */
export function idBytesAt(arena: IdArena, place: number): Buffer {
  const length = idLength(arena, place);
  const start = offsetOf(place) + (length < longLength ? 1 : 5);
  return blockOf(arena, place).subarray(start, start + length);
}

/** From the end, since ids that are alike mostly begin alike. */
export function equalsId(arena: IdArena, place: number, { bytes, start, length }: IdSpan): boolean {
  if (idLength(arena, place) !== length) return false;
  const block = blockOf(arena, place);
  const own = offsetOf(place) + (length < longLength ? 1 : 5);
  for (let index = length - 1; index >= 0; index--) if (block[own + index] !== bytes[start + index]) return false;
  return true;
}

/** An id that is placed, where it is. */
export function idSpanAt(arena: IdArena, place: number): IdSpan {
  const length = idLength(arena, place);
  return { bytes: blockOf(arena, place), start: offsetOf(place) + (length < longLength ? 1 : 5), length };
}

/** The same, to be written into. */
export function writableSpanAt(arena: IdArena, place: number): IdSpan {
  blockToWrite(arena, place);
  return idSpanAt(arena, place);
}

function blockToWrite(arena: IdArena, place: number): Buffer {
  arena.beforeWrite?.(place >>> blockBits);
  return blockOf(arena, place);
}

function blockOf({ blocks }: IdArena, place: number): Buffer {
  return blocks[place >>> blockBits] as Buffer;
}

function offsetOf(place: number): number {
  return (place & blockMask) * unitBytes;
}

export function idArenaBytes({ blocks }: IdArena): number {
  return blocks.reduce((sum, { length }) => sum + length, 0);
}
