/**
 * Pages of 64 bytes for the neighbours of points. How many one holds depends on the greatest number in it: of each 16 bits lie together, the
 * higher 2, 4, 8 or 16 behind them, in bytes that follow one another from the back.
 *
 *   kind 0   | 26 times 16 bits | ... 26 times 2 bits | link |     numbers below 2 ** 18
 *   kind 1   | 24 times 16 bits | 24 times 4 bits     | link |     below 2 ** 20
 *   kind 2   | 20 times 16 bits | 20 times 8 bits     | link |     below 2 ** 24
 *   kind 3   | 15 times 16 bits | 15 times 16 bits    | link |
 *   link     int32: 4 * (the next page + 1) + kind; 0 to 3: there is none
 *
 * New pages are of the least kind that holds all numbers seen so far.
 */
import { clusteringError } from '../../core/errors/clustering.ts';

/** The same bytes three times. */
export type PageChunk = { readonly low: Uint16Array; readonly high: Uint8Array; readonly ints: Int32Array };

export type NeighbourPages = {
  readonly chunks: PageChunk[];
  pageCount: number;
  /** The first page that is free again; each links to the next. */
  freePage: number;
  freePageCount: number;
  /** So many there can be. */
  readonly pagesMax: number;
  /** Of new pages. */
  kind: number;
};

const pageBytes = 64;
const pageLows = pageBytes / 2;
const pageInts = pageBytes / 4;
const linkAt = pageInts - 1;
/** The first byte of higher bits, in front of the link. */
const highAt = pageBytes - 5;
/** By kind. */
const places = [26, 24, 20, 15] as const;
const widestKind = 3;
/** More than malloc gives from between other things, where it is told so: what was not written to takes no memory. */
const chunkBits = 14;
const chunkPages = 1 << chunkBits;
const chunkMask = chunkPages - 1;
const pagesMin = 16;
/** What malloc puts in front of large blocks, filled up, so that a page lies in one line of the cache. */
const chunkStart = pageBytes - 16;

export function createNeighbourPages(pagesMax: number): NeighbourPages {
  return { chunks: [], pageCount: 0, freePage: -1, freePageCount: 0, pagesMax, kind: 0 };
}

export function chunkOf({ chunks }: NeighbourPages, page: number): PageChunk {
  return chunks[page >> chunkBits] as PageChunk;
}

export function placesOf(kind: number): number {
  return places[kind] as number;
}

function linkOf({ ints }: PageChunk, page: number): number {
  return ints[(page & chunkMask) * pageInts + linkAt] as number;
}

export function kindOf(chunk: PageChunk, page: number): number {
  return linkOf(chunk, page) & 3;
}

/** -1: none. */
export function nextPage(chunk: PageChunk, page: number): number {
  return (linkOf(chunk, page) >> 2) - 1;
}

function setLink({ ints }: PageChunk, page: number, next: number, kind: number): void {
  ints[(page & chunkMask) * pageInts + linkAt] = ((next + 1) << 2) | kind;
}

/** Whether a page of that kind can hold a number. */
export function holds(kind: number, neighbour: number): boolean {
  return kind === widestKind || neighbour >>> (16 + (2 << kind)) === 0;
}

/** Its higher bits are there in part, or where they are few, all of them. */
function highOf(page: number, place: number, bits: number): number {
  return (page & chunkMask) * pageBytes + highAt - ((place * bits) >> 3);
}

export function neighbourAt({ low, high }: PageChunk, page: number, kind: number, place: number): number {
  const bits = 2 << kind;
  const lower = low[(page & chunkMask) * pageLows + place] as number;
  const at = highOf(page, place, bits);
  if (kind === widestKind) return lower | ((high[at] as number) << 16) | ((high[at - 1] as number) << 24);
  return lower | ((((high[at] as number) >> ((place * bits) & 7)) & ((1 << bits) - 1)) << 16);
}

/** The page is of a kind that holds the number. */
export function putNeighbour({ low, high }: PageChunk, page: number, kind: number, place: number, neighbour: number): void {
  const bits = 2 << kind;
  low[(page & chunkMask) * pageLows + place] = neighbour;
  const at = highOf(page, place, bits);
  const higher = neighbour >>> 16;
  if (kind === widestKind) {
    high[at] = higher;
    high[at - 1] = higher >>> 8;
    return;
  }
  const shift = (place * bits) & 7;
  high[at] = ((high[at] as number) & ~(((1 << bits) - 1) << shift)) | (higher << shift);
}

/** Puts numbers into the last places of a page that holds none yet. @returns how many places are left. */
export function fillPage(chunk: PageChunk, page: number, kind: number, list: Int32Array, start: number, count: number): number {
  const { low, high } = chunk;
  const lows = (page & chunkMask) * pageLows;
  const highs = (page & chunkMask) * pageBytes + highAt;
  let place = placesOf(kind);
  if (kind === widestKind) {
    for (let index = start; index < start + count; index++) putNeighbour(chunk, page, kind, --place, list[index] as number);
    return place;
  }
  const bits = 2 << kind;
  let byte = 0;
  for (let index = start; index < start + count; index++) {
    const neighbour = list[index] as number;
    place--;
    low[lows + place] = neighbour;
    byte |= (neighbour >>> 16) << ((place * bits) & 7);
    if (((place * bits) & 7) !== 0) continue;
    high[highs - ((place * bits) >> 3)] = byte;
    byte = 0;
  }
  if (((place * bits) & 7) !== 0) high[highs - ((place * bits) >> 3)] = byte;
  return place;
}

/** The same for numbers that are in the order of the places: the last of them comes into the last place, as `copyNeighbours` gave them. */
export function refillPage(chunk: PageChunk, page: number, kind: number, list: Int32Array, start: number, count: number): number {
  const places = placesOf(kind);
  const free = places - count;
  if (kind === 0) refillNarrow(chunk, page, list, start, free);
  else if (kind === widestKind) for (let place = free; place < places; place++) putNeighbour(chunk, page, kind, place, list[start + place - free] as number);
  else refillBytes(chunk, page, kind, list, start, { from: free, to: places });
  return free;
}

/** From a place to another, each byte of the higher bits at once. */
function refillBytes({ low, high }: PageChunk, page: number, kind: number, list: Int32Array, start: number, { from, to }: { readonly from: number; readonly to: number }): void {
  const lows = (page & chunkMask) * pageLows;
  const bits = 2 << kind;
  const perByte = 8 >> (kind + 1);
  let index = start;
  for (let place = from; place < to;) {
    const byteAt = highOf(page, place, bits);
    const end = Math.min(to, (place | (perByte - 1)) + 1);
    let byte = 0;
    for (; place < end; place++, index++) {
      const neighbour = list[index] as number;
      low[lows + place] = neighbour;
      byte |= (neighbour >>> 16) << ((place * bits) & 7);
    }
    high[byteAt] = byte;
  }
}

/** Of kind 0, which most pages are of: a restore fills all that there are. A byte of the higher bits is of four places, and the last one of two. */
function refillNarrow(chunk: PageChunk, page: number, list: Int32Array, start: number, free: number): void {
  const { low, high } = chunk;
  const lows = (page & chunkMask) * pageLows;
  const highs = (page & chunkMask) * pageBytes + highAt;
  const whole = Math.min(placesOf(0), (free + 3) & ~3);
  if (free < whole) refillBytes(chunk, page, 0, list, start, { from: free, to: whole });
  let index = start + whole - free;
  let place = whole;
  for (; place < placesOf(0) - 2; place += 4, index += 4) {
    const first = list[index] as number;
    const second = list[index + 1] as number;
    const third = list[index + 2] as number;
    const fourth = list[index + 3] as number;
    low[lows + place] = first;
    low[lows + place + 1] = second;
    low[lows + place + 2] = third;
    low[lows + place + 3] = fourth;
    high[highs - (place >> 2)] = (first >>> 16) | ((second >>> 16) << 2) | ((third >>> 16) << 4) | ((fourth >>> 16) << 6);
  }
  if (place === placesOf(0)) return;
  const first = list[index] as number;
  const second = list[index + 1] as number;
  low[lows + place] = first;
  low[lows + place + 1] = second;
  high[highs - (place >> 2)] = (first >>> 16) | ((second >>> 16) << 2);
}

/** The neighbours in some places of a page, to where they are wanted. */
export function copyNeighbours(chunk: PageChunk, page: number, kind: number, from: number, to: number, into: Int32Array, start: number): void {
  if (kind === widestKind) {
    for (let place = from; place < to; place++) into[start + place - from] = neighbourAt(chunk, page, widestKind, place);
    return;
  }
  const { low, high } = chunk;
  const lows = (page & chunkMask) * pageLows;
  const highs = (page & chunkMask) * pageBytes + highAt;
  const bits = 2 << kind;
  const mask = (1 << bits) - 1;
  for (let place = from, at = from * bits; place < to; place++, at += bits) {
    into[start + place - from] = (low[lows + place] as number) | ((((high[highs - (at >> 3)] as number) >> (at & 7)) & mask) << 16);
  }
}

/** A page of the kind that new pages are of now. @param next the page that follows it, or -1. */
export function takePage(pages: NeighbourPages, next: number): number {
  let page = pages.freePage;
  if (page === -1) page = newPage(pages);
  else {
    pages.freePage = nextPage(chunkOf(pages, page), page);
    pages.freePageCount--;
  }
  setLink(chunkOf(pages, page), page, next, pages.kind);
  return page;
}

function newPage(pages: NeighbourPages): number {
  const { chunks, pagesMax } = pages;
  if (pages.pageCount === pagesMax) {
    const message = `one record has filled the ${pagesMax} pages that neighbours are kept in; the clustering cannot go on, and is to be restored`;
    throw clusteringError('LS_CLUSTERING_GRAPH_FULL', message, { pagesMax });
  }
  const page = pages.pageCount++;
  const first = chunks[0];
  if (first === undefined) chunks.push(newChunk(pagesMin));
  else if (page < chunkPages && page * pageInts >= first.ints.length) {
    const grown = newChunk((2 * first.ints.length) / pageInts);
    grown.ints.set(first.ints);
    chunks[0] = grown;
  } else if (page >> chunkBits === chunks.length) chunks.push(newChunk(chunkPages));
  return page;
}

function newChunk(pages: number): PageChunk {
  const bytes = new ArrayBuffer(chunkStart + pages * pageBytes);
  return { low: new Uint16Array(bytes, chunkStart), high: new Uint8Array(bytes, chunkStart), ints: new Int32Array(bytes, chunkStart) };
}

export function freePage(pages: NeighbourPages, page: number): void {
  setLink(chunkOf(pages, page), page, pages.freePage, 0);
  pages.freePage = page;
  pages.freePageCount++;
}

/** From here on new pages hold such numbers. */
export function expectNumber(pages: NeighbourPages, neighbour: number): void {
  while (!holds(pages.kind, neighbour)) pages.kind++;
}

/** Without what was never used. */
export function neighbourPagesBytes({ pageCount }: NeighbourPages): number {
  return pageCount * pageBytes;
}
