/**
 * The neighbour search of a collection of any size: exact, with bounds that are proven and kernels chosen by what they cost (row-search.ts,
 * tree-search.ts). Searches that would hold the loop up go to worker threads, where there are any; the index changes on this thread, between them.
 */
import { LabelstreamError } from '../../core/errors/error.ts';
import type { ClusteringParameters } from '../clustering.ts';
import { distanceFor, normOf, vectorBytes } from '../distance.ts';
import type { NearestPoint, NeighbourSearch, PreparedVector, SearchStatistics } from '../neighbour-search.ts';
import { hitLists } from './hits.ts';
import { addCosts, noCosts } from './range-scan.ts';
import { createPointTags } from './point-tags.ts';
import { batchMax } from './row-layout.ts';
import { createRowSearch } from './row-search.ts';
import type { SearchedVector } from './scan-context.ts';
import type { FoundNear, SearchIndex } from './search-index.ts';
import { packVectors } from './search-protocol.ts';
import type { SearchWorkers } from './search-workers.ts';
import { createSmallIndex, type SmallIndex } from './small-index.ts';
import { treeDimensionsMax } from './tree-layout.ts';
import { createTreeSearch } from './tree-search.ts';

export type SearchOptions = {
  /** Where long searches are done; any number of searches may share them. Without any everything is done on the calling thread. */
  readonly workers?: SearchWorkers;
  /** `flat`: no cells, in float32; `flat-int8`: no cells, prefiltered in 8 bits; `cells`: wherever any can be made; `cells-float32`: the same without 7 bits. By default what pays. No kernel changes an answer. */
  readonly kernel?: 'flat' | 'flat-int8' | 'cells' | 'cells-float32' | 'tree';
  /** Multiply-adds from which on a search goes to the workers. */
  readonly workerFrom?: number;
};

/** About a millisecond of the kernels. */
const workerFromDefault = 8_000_000;
/** What is done on this thread before the loop turns. */
const sliceWork = 32_000_000;

/**
 * @param dimensions of every vector: finite float32 values; under `cosine` not all of them 0. Who stores them has checked that (`checkVector`).
 * @param parameters eps as cosine distance (0 to 2), or as euclidean distance, not squared.
 * @returns a search whose answers are those of `createPlainSearch`. Where a worker fails it searches on the calling thread, where no shared memory can be had it
 *   compares vectors one by one, and says so in its statistics. It throws LS_CLUSTERING_MEMORY_REFUSED where more than a GiB of vectors has nowhere to go.
 *   To be closed, and the workers after it.
 */
export function createNeighbourSearch(dimensions: number, parameters: ClusteringParameters, options: SearchOptions = {}): NeighbourSearch {
  const search = new FastSearch(dimensions, parameters, options);
  return {
    dimensions,
    get parameters() {
      return search.parameters;
    },
    prepare: (vectors) => search.prepare(vectors),
    prepareNow: (vector) => search.prepareNow(vector),
    load: (rows) => search.load(rows),
    loaded: () => search.explore(),
    release: (point) => search.release(point),
    vector: (point) => search.index.vector(point),
    norm: (point) => search.index.norm(point),
    alike: (point, among) => search.tags.alike(point, among),
    distance: (left, right) => search.distance(left, right),
    find: (vector) => search.find(vector),
    nearest: (vector, count) => search.nearest(vector, count),
    pairsNow: (other) => search.pairsNow(other),
    use: (other) => {
      search.parameters = other;
    },
    close: () => search.close(),
    statistics: () => search.statistics(),
  };
}

function openIndex(dimensions: number, parameters: ClusteringParameters, kernel: Exclude<SearchOptions['kernel'], undefined>): SearchIndex {
  switch (kernel) {
    case 'tree':
      return createTreeSearch(dimensions, parameters);
    case 'cells':
    case 'cells-float32':
      return createRowSearch(dimensions, { cells: 'always', quantised: 'never', realCells: kernel === 'cells-float32' });
    default:
      return createRowSearch(dimensions, { cells: 'never', quantised: kernel === 'flat' ? 'never' : 'always' });
  }
}

class FastSearch {
  parameters: ClusteringParameters;
  index: SearchIndex;
  readonly tags = createPointTags();
  /** What `index` is, while there are few vectors and no kernel was asked for. */
  #small: SmallIndex | undefined;
  /** Where there was no shared memory for its vectors: how many there are when it is asked for again. */
  #outgrowsFrom = 0;
  readonly #dimensions: number;
  readonly #workers: SearchWorkers | undefined;
  readonly #entered: number;
  readonly #workerFrom: number;
  #last: Promise<unknown> = Promise.resolve();
  /** Whether a thread reads the index: no row may move. */
  #isSearching = false;
  readonly #released = new Set<number>();
  #unsettled: FoundNear[] = [];
  #isExploring = false;
  #isClosed = false;
  #workerFailures = 0;
  /** Of searches by the workers. */
  #costs = noCosts;

  constructor(dimensions: number, parameters: ClusteringParameters, { workers, kernel, workerFrom = workerFromDefault }: SearchOptions) {
    this.parameters = parameters;
    if (kernel === undefined && dimensions > treeDimensionsMax) this.#small = createSmallIndex(dimensions);
    this.index = this.#small ?? openIndex(dimensions, parameters, kernel ?? 'tree');
    this.#dimensions = dimensions;
    this.#workers = workers;
    this.#entered = workers?.enter() ?? 0;
    this.#workerFrom = workerFrom;
  }

  add(vector: Float32Array): number {
    if (this.#small?.isFull() === true && this.#small.points.size >= this.#outgrowsFrom) this.#outgrow(this.#small);
    const norm = normOf(vector);
    const point = this.index.add(vector, norm);
    this.tags.set(point, norm);
    return point;
  }

  load(rows: Float32Array): void {
    const dimensions = this.#dimensions;
    let start = 0;
    for (; start < rows.length && this.index.addRows === undefined; start += dimensions) this.add(rows.subarray(start, start + dimensions));
    if (start === rows.length) return;
    let point = this.index.points.count;
    this.index.addRows?.(rows.subarray(start));
    for (; point < this.index.points.count; point++) this.tags.set(point, this.index.norm(point));
  }

  #outgrow(small: SmallIndex): void {
    try {
      this.index = createRowSearch(this.#dimensions, { cells: 'auto', quantised: 'auto' }, small);
      this.#small = undefined;
    } catch (error) {
      if (!(error instanceof LabelstreamError && error.code === 'LS_CLUSTERING_MEMORY_REFUSED')) throw error;
      this.#outgrowsFrom = 2 * small.points.size;
    }
  }

  prepare(vectors: readonly Float32Array[]): Promise<readonly PreparedVector[]> {
    const points = vectors.map((vector) => this.add(vector));
    return this.#inTurn(async () => {
      const { parameters } = this;
      const near = await this.#search(this.#stored(points), parameters);
      const found = points.map((point, index) => this.#found(point, near[index] ?? new Int32Array(0), parameters));
      this.#settle();
      return found;
    });
  }

  /** Searches, between those that are asked for, for what arranges the index, until nothing is to be gained; only where there are workers to do it. */
  explore(): void {
    if (this.#workers === undefined || this.#isExploring) return;
    this.#isExploring = true;
    const more = async (): Promise<void> => {
      const wanted = this.#isClosed ? [] : this.index.wanted();
      if (wanted.length > 0) {
        const near = await this.#search(wanted, this.parameters);
        for (const [index, { point, cell }] of wanted.entries()) this.#unsettled.push({ point, near: near[index] ?? new Int32Array(0), ...(cell === undefined ? {} : { cell }) });
      }
      const goesOn = this.#settle();
      this.#isExploring = !this.#isClosed && (goesOn || wanted.length > 0);
      await new Promise((resume) => setImmediate(resume));
      if (this.#isExploring) void this.#inTurn(more).catch(() => undefined);
    };
    void this.#inTurn(more).catch(() => undefined);
  }

  prepareNow(vector: Float32Array): PreparedVector {
    const { parameters } = this;
    const point = this.add(vector);
    const [stored = new Int32Array(0)] = this.index.searchNow(this.#stored([point]), parameters);
    // While a thread reads the index, what was released is still in it: its point will be another's.
    const near = this.#released.size === 0 ? stored : stored.filter((other) => !this.#released.has(other));
    const found = this.#found(point, near, parameters);
    this.#settle();
    return found;
  }

  release(point: number): void {
    if (this.#isSearching) this.#released.add(point);
    else this.index.remove(point);
  }

  distance(left: number, right: number): number {
    const pointOf = (point: number): { vector: Float32Array; norm: number } => ({ vector: this.index.vector(point), norm: this.index.norm(point) });
    return distanceFor(this.parameters.metric)(pointOf(left), pointOf(right));
  }

  find(vector: Float32Array): Promise<Int32Array> {
    const query = { vector: vector.slice(), norm: normOf(vector), point: -1 };
    return this.#inTurn(async () => (await this.#search([query], this.parameters))[0] ?? new Int32Array(0));
  }

  /** Finds what is near by ever larger eps, until it is enough: then the nearest are among it. */
  nearest(vector: Float32Array, count: number): Promise<readonly NearestPoint[]> {
    const query = { vector: vector.slice(), norm: normOf(vector), point: -1 };
    return this.#inTurn(async () => {
      const { metric } = this.parameters;
      const wanted = (): number => Math.min(count, this.index.points.size);
      let eps = this.parameters.eps;
      let near: Int32Array = new Int32Array(0);
      for (let tries = 0; tries < 64 && near.length < wanted(); tries++) {
        [near = near] = await this.#search([query], { ...this.parameters, eps });
        eps = metric === 'cosine' && eps > 0.5 ? 4 : Math.max(eps * 2, 1e-3);
      }
      // What was released since the last search is stored no more.
      const candidates = near.length < wanted() ? this.index.points.given() : near.filter((point) => this.index.points.row(point) >= 0);
      return this.#nearestOf(query, candidates).slice(0, count);
    });
  }

  *pairsNow(parameters: ClusteringParameters): Generator<PreparedVector> {
    for (const points of this.#batches()) {
      const near = this.index.searchNow(this.#stored(points), parameters);
      for (const [index, point] of points.entries()) yield { point, near: (near[index] ?? new Int32Array(0)).filter((other) => other < point), parameters };
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
    this.#workers?.leave(this.#entered);
  }

  statistics(): SearchStatistics {
    const { kernel, reason } = this.index.describe();
    const refused = this.#small === undefined || this.#outgrowsFrom === 0 ? '' : '; there is no shared memory for so many searches';
    const failures = this.#workerFailures === 0 ? '' : `; a worker failed ${this.#workerFailures} times, searched on the main thread instead`;
    return { kernel, reason: `${reason}${refused}${failures}`, memoryBytes: this.index.memoryBytes() + this.tags.memoryBytes() };
  }

  #stored(points: readonly number[]): SearchedVector[] {
    const copies = new Float32Array(points.length * this.#dimensions);
    return points.map((point, index) => ({
      vector: this.index.readVector(point, copies.subarray(index * this.#dimensions, (index + 1) * this.#dimensions)),
      norm: this.index.norm(point),
      point,
    }));
  }

  #found(point: number, near: Int32Array, parameters: ClusteringParameters): PreparedVector {
    this.#unsettled.push({ point, near });
    return { point, near, parameters };
  }

  /** One search after the other. What was released meanwhile goes when it has ended. */
  #inTurn<Result>(search: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(search);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #search(vectors: readonly SearchedVector[], parameters: ClusteringParameters): Promise<Int32Array[]> {
    this.#isSearching = true;
    const gone = new Set<number>();
    const near = await this.#searchAnywhere(vectors, parameters).finally(() => {
      this.#isSearching = false;
      for (const point of this.#released) {
        this.index.remove(point);
        gone.add(point);
      }
      this.#released.clear();
    });
    // Their points may be others' when the answer is used.
    return gone.size === 0 ? near : near.map((points) => points.filter((point) => !gone.has(point)));
  }

  async #searchAnywhere(vectors: readonly SearchedVector[], parameters: ClusteringParameters): Promise<Int32Array[]> {
    const work = this.index.work() * vectors.length;
    const state = this.#workers === undefined || work < this.#workerFrom ? undefined : this.index.state();
    if (this.#workers === undefined || state === undefined) return this.#searchHere(vectors, parameters);
    try {
      const queries = packVectors(vectors, this.#dimensions);
      const reply = await this.#workers.search({ index: this.#entered, dimensions: this.#dimensions, state, parameters, queries }, work);
      this.#costs = addCosts(this.#costs, reply.costs);
      return hitLists(reply);
    } catch {
      this.#workerFailures += 1;
      return this.#searchHere(vectors, parameters);
    }
  }

  /** In slices that let the loop turn. */
  async #searchHere(vectors: readonly SearchedVector[], parameters: ClusteringParameters): Promise<Int32Array[]> {
    const near: Int32Array[] = [];
    const slice = Math.max(1, Math.min(batchMax, Math.floor(sliceWork / this.index.work())));
    for (let start = 0; start < vectors.length; start += slice) {
      if (start > 0) await new Promise((resume) => setImmediate(resume));
      near.push(...this.index.searchNow(vectors.slice(start, start + slice), parameters));
    }
    return near;
  }

  /** Not while a thread reads the index; then after it. */
  #settle(): boolean {
    if (this.#isSearching) return false;
    return this.index.settle(this.#unsettled.splice(0), this.parameters, this.#costs);
  }

  #nearestOf(query: SearchedVector, candidates: Iterable<number>): NearestPoint[] {
    const distance = distanceFor(this.parameters.metric);
    const found = Array.from(candidates, (point) => ({ point, distance: distance(query, { vector: this.index.vector(point), norm: this.index.norm(point) }) }));
    const bytes = (point: number): Buffer => vectorBytes(this.index.vector(point));
    return found.sort((left, right) => left.distance - right.distance || Buffer.compare(bytes(left.point), bytes(right.point)));
  }

  /** Every stored point, ascending. */
  *#batches(): Generator<number[]> {
    let batch: number[] = [];
    for (const point of this.index.points.given()) {
      if (batch.push(point) < batchMax) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
}
