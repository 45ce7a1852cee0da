/**
 * The stored vectors of a search, by point: which row a point has, which rows are free. Only the main thread changes it, and moves no row while
 * a search is under way.
 *
 * Rows lie in areas. The open area and the odd one (vectors whose norm float32 kernels cannot be trusted with) are dense: whatever leaves, the
 * last row takes its place. Cells get pages of 8 rows from blocks of their own.
 */
import { clusteringError } from '../../core/errors/clustering.ts';
import { normOf } from '../distance.ts';
import { PointTable } from './point-table.ts';
import { quantiseBlock, quantiseRow, type QuantisedBlock } from './quantised-heads.ts';
import { writeTerms } from './quantised-terms.ts';
import { isOrdinary, roundedUp, tailNorm } from './query-record.ts';
import { copiedRows, createRowCopies } from './row-copy.ts';
import { batchMax, blockBits, blockPages, blockRows, blockView, copyNumbers, extraNumbers, memoryPages, pageRows, rowLayout, rowVector, type BlockView, type RowLayout } from './row-layout.ts';
import { lengthen, sharedMemory, type SharedMemory } from './web-assembly.ts';

export type Area = { readonly blocks: number[]; count: number };

/** Of a row in a cell: the distance of its tail from the centre's, rounded up, and the cell's scale. */
export type CellTerms = { readonly tailDistance: number; readonly scale: number };

export type StoredRow = { readonly point: number; readonly vector: Float32Array; readonly norm: number };

/** How far rows are from a centre at most, and cosine of their greatest angle with it; both with what float32 may take from them. */
export type PageReach = { readonly distance: number; readonly cosine: number };

/** About what records and answers of both threads take. */
const scratchBytes = 2 ** 17;

type BlockUse = 'free' | 'open' | 'odd' | 'pages';

/** By bits: rows are asked for by the hundred for each vector that comes. */
const blockOf = (row: number): number => row >> blockBits;
const inBlock = (row: number): number => row & (blockRows - 1);
const refused = (): Error => clusteringError('LS_CLUSTERING_MEMORY_REFUSED', 'the system has no memory, or no addresses, for more vectors');

export class RowStore {
  readonly layout: RowLayout;
  readonly points: PointTable;
  readonly memories: SharedMemory[] = [];
  readonly blocks: BlockView[] = [];
  readonly open: Area = { blocks: [], count: 0 };
  readonly odd: Area = { blocks: [], count: 0 };
  /** Coordinates in the heads of blocks that are begun from now on. */
  openHeadWidth: number;
  /** By block, of those in the open area whose heads are quantised; null where that was tried in vain. */
  readonly quantised: (QuantisedBlock | null | undefined)[] = [];
  readonly #uses: BlockUse[] = [];
  readonly #freeBlocks: number[] = [];
  readonly #freePages: number[] = [];
  readonly #copy: Float32Array;
  readonly #copyOf: ReturnType<typeof createRowCopies>;

  constructor(dimensions: number, points = new PointTable()) {
    this.points = points;
    this.layout = rowLayout(dimensions);
    this.openHeadWidth = dimensions;
    this.#copy = new Float32Array(dimensions);
    this.#copyOf = createRowCopies(this.layout, this.memories);
  }

  get dimensions(): number {
    return this.layout.dimensions;
  }

  /** Without what was only reserved: memory that nothing was written to is addresses. Of the scratch, products of a batch with a block are most. */
  get memoryBytes(): number {
    const { quantised, termBytes, dimensions } = this.layout;
    const scratch = scratchBytes + 4 * batchMax * Math.min(blockRows, this.points.size);
    const unused = this.open.blocks.length * blockRows - this.open.count;
    const integers = this.open.blocks.reduce((sum, block) => sum + (!this.quantised[block] ? 0 : (this.blocks[block] as BlockView).quantised.byteLength), 0);
    const terms = this.#uses.reduce((sum, use) => sum + (use === 'pages' ? blockPages * termBytes : 0), 0);
    return this.memories.length * scratch + this.blocks.length * quantised + terms - unused * 4 * (dimensions + extraNumbers) + integers + this.points.memoryBytes + 8 * this.#freePages.length;
  }

  add(vector: Float32Array, norm: number): number {
    const row = this.#appendFor(norm);
    const point = this.points.take();
    this.#write(row, point, vector, norm);
    return point;
  }

  /** The same for vectors that lie one behind the other, in their order. */
  addRows(rows: Float32Array): void {
    const { dimensions, open } = this;
    const norms = new Float64Array(copiedRows);
    const { copyOrdinary } = this.#copyOf(rows);
    for (let start = 0; start < rows.length;) {
      const block = this.#blockFor(copiedRows);
      const isWhole = start + copiedRows * dimensions <= rows.length;
      if (block === undefined || !isWhole || !copyOrdinary(start, block, inBlock(open.count), norms)) {
        const vector = rows.subarray(start, start + dimensions);
        this.add(vector, normOf(vector));
        start += dimensions;
        continue;
      }
      const first = inBlock(open.count);
      const row = (open.blocks.at(-1) as number) * blockRows + first;
      for (let copied = 0; copied < copiedRows; copied++) {
        const point = this.points.take();
        block.norms[first + copied] = norms[copied] as number;
        block.points[first + copied] = point;
        this.points.setRow(point, row + copied);
      }
      open.count += copiedRows;
      start += copiedRows * dimensions;
    }
  }

  /** Stores the vector of a point that was given already. */
  put(point: number, vector: Float32Array, norm: number): void {
    this.#write(this.#appendFor(norm), point, vector, norm);
  }

  /** Throws LS_CLUSTERING_MEMORY_REFUSED where there is no memory for so many rows, before anything is written. */
  reserve(rows: number): void {
    // Of one area the last block, and of the other, are not full.
    for (let block = 0; block <= Math.ceil(rows / blockRows); block++) if (!this.#grow(block)) throw refused();
  }

  #appendFor(norm: number): number {
    return isOrdinary(norm) ? this.#append(this.open, 'open') : this.#append(this.odd, 'odd');
  }

  /** Its row in an area closes; one in a page is its cell's to close, before. */
  remove(point: number): void {
    const row = this.points.row(point);
    this.points.give(point);
    const use = this.#uses[blockOf(row)];
    if (use === 'open') this.#close(this.open, row);
    else if (use === 'odd') this.#close(this.odd, row);
  }

  /** A view or what was copied `into`. */
  readVector(point: number, into: Float32Array): Float32Array {
    return this.vectorAt(this.points.row(point), into);
  }

  /** A view or a copy. */
  vector(point: number): Float32Array {
    const vector = this.vectorAt(this.points.row(point), this.#copy);
    return vector === this.#copy ? vector.slice() : vector;
  }

  vectorAt(row: number, into: Float32Array): Float32Array {
    return rowVector(this.#block(row), inBlock(row), this.dimensions, into);
  }

  norm(point: number): number {
    return this.normAt(this.points.row(point));
  }

  /** Its vector, to where it is wanted. */
  copyVector(row: number, into: Float32Array, at: number): void {
    const { heads, tails, headWidth } = this.#block(row);
    const tailWidth = this.dimensions - headWidth;
    copyNumbers(heads, inBlock(row) * (headWidth + extraNumbers), into, at, headWidth);
    copyNumbers(tails, inBlock(row) * tailWidth, into, at + headWidth, tailWidth);
  }

  normAt(row: number): number {
    return this.#block(row).norms[inBlock(row)] as number;
  }

  pointAt(row: number): number {
    return this.#block(row).points[inBlock(row)] as number;
  }

  isOpen(row: number): boolean {
    return this.#uses[blockOf(row)] === 'open';
  }

  isInPage(row: number): boolean {
    return this.#uses[blockOf(row)] === 'pages';
  }

  /** Puts the point of an open row into a row of a page; the open area closes. Returns what `setPageRow` does. */
  moveToPage(stored: StoredRow, row: number, terms: CellTerms): number {
    const from = this.points.row(stored.point);
    const error = this.setPageRow(row, stored, terms);
    this.#close(this.open, from);
    return error;
  }

  /** The same back; the page is its cell's to close. */
  moveToOpen(point: number): void {
    this.#copyRow(this.points.row(point), this.#append(this.open, 'open'));
  }

  /** Puts a row of a page over another one of the same cell. */
  moveWithinPages(from: number, to: number, scale: number): void {
    const { heads, headWidth } = this.#block(from);
    const tailDistance = heads[inBlock(from) * (headWidth + extraNumbers) + headWidth] as number;
    this.setPageRow(to, { point: this.pointAt(from), vector: this.vectorAt(from, this.#copy), norm: this.normAt(from) }, { tailDistance, scale });
  }

  /** Puts a point into a row of a page, whatever was there. Returns what its quantised head leaves of its head, rounded up. */
  setPageRow(row: number, { point, vector, norm }: StoredRow, terms: CellTerms): number {
    this.#write(row, point, vector, norm, terms.tailDistance);
    return writeTerms(this.#block(row), inBlock(row), this.layout, vector, norm, terms);
  }

  /** Of the rows of a page and of those behind it, as the cell keeps it. */
  reach(page: number): PageReach {
    const at = this.#reachAt(page);
    const { terms } = this.#block(page * pageRows);
    return { distance: terms[at] as number, cosine: terms[at + 1] as number };
  }

  setReach(page: number, { distance, cosine }: PageReach): void {
    this.#block(page * pageRows).terms.set([distance, cosine, roundedUp(Math.sqrt(1 - cosine * cosine)), 0], this.#reachAt(page));
  }

  /** A page for a cell, in that segment where it is not -1. Returns -1 where there is none. */
  takePage(segment: number): number {
    const index = segment < 0 ? this.#freePages.length - 1 : this.#freePages.findLastIndex((page) => this.segmentOfPage(page) === segment);
    if (index >= 0) return this.#freePages.splice(index, 1)[0] as number;
    const block = this.#takeBlock('pages', this.layout.pageHeadWidth, segment);
    if (block < 0) return -1;
    for (let page = blockPages - 1; page > 0; page--) this.#freePages.push(block * blockPages + page);
    return block * blockPages;
  }

  /** Whether there is a page in a segment without taking more memory while blocks of other segments lie idle. */
  hasPage(segment: number): boolean {
    if (this.#freePages.some((page) => this.segmentOfPage(page) === segment)) return true;
    if (this.#freeBlocks.length > 0) return this.#freeBlocks.some((block) => this.blocks[block]?.segment === segment);
    return Math.floor(this.blocks.length / this.layout.blocksPerSegment) === segment;
  }

  givePage(page: number): void {
    this.#freePages.push(page);
  }

  segmentOfPage(page: number): number {
    return this.#block(page * pageRows).segment;
  }

  nextPage(page: number): number {
    return this.#localToPage(page, this.#block(page * pageRows).next[page % blockPages] as number);
  }

  setNextPage(page: number, next: number): void {
    this.#block(page * pageRows).next[page % blockPages] = this.localPage(next);
  }

  /** As the kernels of its segment count it. */
  localPage(page: number): number {
    return page % (this.layout.blocksPerSegment * blockPages);
  }

  /** Lays a block of the open area out anew. */
  relayout(index: number, headWidth: number): void {
    const before = this.blocks[index] as BlockView;
    if (before.headWidth === headWidth) return;
    const copy: BlockView = { ...before, heads: before.heads.slice(), tails: before.tails.slice() };
    this.#view(index, headWidth);
    const after = this.blocks[index] as BlockView;
    for (let row = 0; row < blockRows; row++) this.#write(index * blockRows + row, -1, rowVector(copy, row, this.dimensions, this.#copy), after.norms[row] as number);
  }

  /** Quantises the heads of the block at a place of the open area; undone by a row that does not fit. */
  quantise(place: number): void {
    const index = this.open.blocks[place] as number;
    this.quantised[index] = quantiseBlock(this.blocks[index] as BlockView, Math.min(blockRows, this.open.count - place * blockRows)) ?? null;
  }

  #reachAt(page: number): number {
    return ((page % blockPages) * this.layout.termBytes) / 4;
  }

  #localToPage(page: number, local: number): number {
    return page - this.localPage(page) + local;
  }

  #block(row: number): BlockView {
    return this.blocks[blockOf(row)] as BlockView;
  }

  #view(index: number, headWidth: number): void {
    this.quantised[index] = undefined;
    const segment = Math.floor(index / this.layout.blocksPerSegment);
    this.blocks[index] = blockView(this.layout, this.memories[segment] as SharedMemory, segment, index % this.layout.blocksPerSegment, headWidth);
  }

  #takeBlock(use: BlockUse, headWidth: number, segment = -1): number {
    const found = this.#freeBlocks.findIndex((block) => segment < 0 || this.blocks[block]?.segment === segment);
    const index = found < 0 ? this.blocks.length : (this.#freeBlocks.splice(found, 1)[0] as number);
    if (found < 0) {
      if (segment >= 0 && Math.floor(index / this.layout.blocksPerSegment) !== segment) return -1;
      if (!this.#grow(index)) return -1;
    }
    this.#view(index, headWidth);
    this.#uses[index] = use;
    return index;
  }

  /** Returns whether there is memory for it. */
  #grow(block: number): boolean {
    const { base, blockBytes, blocksPerSegment } = this.layout;
    const segment = Math.floor(block / blocksPerSegment);
    // What is read beyond the last row of a block stays within the memory.
    const pages = memoryPages(base + ((block % blocksPerSegment) + 1) * blockBytes);
    const memory = this.memories[segment];
    if (memory !== undefined) return lengthen(memory, pages);
    const made = sharedMemory(pages, memoryPages(base + blocksPerSegment * blockBytes));
    if (made !== undefined) this.memories.push(made);
    return made !== undefined;
  }

  #append(area: Area, use: BlockUse): number {
    if (area.count === area.blocks.length * blockRows) {
      const block = this.#takeBlock(use, use === 'open' ? this.openHeadWidth : this.dimensions);
      if (block < 0) throw refused();
      area.blocks.push(block);
    }
    area.count += 1;
    return this.#last(area);
  }

  /** The last block of the open area, where it has room for so many rows, and nothing but their vectors is to be written. */
  #blockFor(rows: number): BlockView | undefined {
    const { blocks, count } = this.open;
    const index = blocks.at(-1);
    if (index === undefined || count + rows > blocks.length * blockRows || this.quantised[index]) return undefined;
    const block = this.blocks[index];
    return block?.headWidth === this.dimensions ? block : undefined;
  }

  #last(area: Area): number {
    const index = area.count - 1;
    return (area.blocks[Math.floor(index / blockRows)] as number) * blockRows + inBlock(index);
  }

  #close(area: Area, hole: number): void {
    const last = this.#last(area);
    if (last !== hole) this.#copyRow(last, hole);
    area.count -= 1;
    if (area.count > (area.blocks.length - 1) * blockRows) return;
    const block = area.blocks.pop() as number;
    this.#uses[block] = 'free';
    this.#freeBlocks.push(block);
  }

  #copyRow(from: number, to: number): void {
    const source = this.#block(from);
    if (source.headWidth === this.#block(to).headWidth && this.#uses[blockOf(from)] === this.#uses[blockOf(to)] && !this.quantised[blockOf(to)]) {
      this.#copyNumbers(from, to);
      return;
    }
    this.#write(to, this.pointAt(from), rowVector(source, inBlock(from), this.dimensions, this.#copy), source.norms[inBlock(from)] as number);
  }

  /** Where rows are laid out alike, and their tails' distances are from the same reference. */
  #copyNumbers(from: number, to: number): void {
    const source = this.#block(from);
    const target = this.#block(to);
    const { headWidth } = source;
    const width = headWidth + extraNumbers;
    const tailWidth = this.dimensions - headWidth;
    copyNumbers(source.heads, inBlock(from) * width, target.heads, inBlock(to) * width, width);
    copyNumbers(source.tails, inBlock(from) * tailWidth, target.tails, inBlock(to) * tailWidth, tailWidth);
    target.norms[inBlock(to)] = this.normAt(from);
    const point = this.pointAt(from);
    target.points[inBlock(to)] = point;
    this.points.setRow(point, to);
  }

  /** @param point -1 leaves it as it is. @param tailDistance left out: that from zero, as rows of the open area have it. */
  #write(row: number, point: number, vector: Float32Array, norm: number, tailDistance?: number): void {
    const { heads, tails, headWidth, points, norms } = this.#block(row);
    const index = inBlock(row);
    const start = index * (headWidth + extraNumbers);
    copyNumbers(vector, 0, heads, start, headWidth);
    copyNumbers(vector, headWidth, tails, index * (this.dimensions - headWidth), this.dimensions - headWidth);
    if (isOrdinary(norm)) {
      heads[start + headWidth] = tailDistance ?? roundedUp(tailNorm(vector, headWidth));
      heads[start + headWidth + 1] = norm;
      heads[start + headWidth + 2] = (norm * norm) / 2;
    }
    norms[index] = norm;
    const quantised = this.quantised[blockOf(row)];
    if (quantised) this.quantised[blockOf(row)] = quantiseRow(this.#block(row), index, quantised);
    if (point < 0) return;
    points[index] = point;
    this.points.setRow(point, row);
  }
}
