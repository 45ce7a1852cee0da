/**
 * What changes the tree of tree-layout.ts, on the main thread between searches. Which leaf a row is in changes no answer, only its cost: so a row
 * on a split goes to either side, and a branch that has grown too deep is built anew.
 */
import type { Metric } from '../../core/events.generated.ts';
import { normOf } from '../distance.ts';
import { PointTable } from './point-table.ts';
import { leafRows, type TreeState } from './tree-layout.ts';

const none = -1;

export class TreeIndex {
  readonly dimensions: number;
  readonly points = new PointTable();
  #metric: Metric;
  #root = none;
  // Of vertices.
  #vertices = 0;
  readonly #freeVertices: number[] = [];
  #children = new Int32Array(0);
  #boxes = new Float32Array(0);
  #parents = new Int32Array(0);
  #splitDimensions = new Int32Array(0);
  #splitValues = new Float32Array(0);
  // Of leaves.
  #leaves = 0;
  readonly #freeLeaves: number[] = [];
  #counts = new Int32Array(0);
  #vertexOfLeaf = new Int32Array(0);
  // Of rows.
  #coordinates = new Float32Array(0);
  #rowPoints = new Int32Array(0);

  constructor(dimensions: number, metric: Metric) {
    this.dimensions = dimensions;
    this.#metric = metric;
  }

  get memoryBytes(): number {
    const columns = [this.#children, this.#boxes, this.#parents, this.#splitDimensions, this.#splitValues, this.#counts, this.#vertexOfLeaf, this.#coordinates, this.#rowPoints];
    return columns.reduce((sum, { byteLength }) => sum + byteLength, this.points.memoryBytes);
  }

  /** As it is now. Boxes are made for the metric asked for. */
  state(metric: Metric): TreeState {
    if (metric !== this.#metric) {
      this.#metric = metric;
      if (this.#root !== none) this.#boxAll(this.#root);
    }
    return {
      dimensions: this.dimensions,
      metric,
      root: this.#root,
      children: this.#children,
      boxes: this.#boxes,
      counts: this.#counts,
      coordinates: this.#coordinates,
      points: this.#rowPoints,
    };
  }

  vector(point: number): Float32Array {
    return this.#vectorAt(this.points.row(point));
  }

  add(vector: Float32Array): number {
    const point = this.points.take();
    this.#insert(vector, point);
    return point;
  }

  remove(point: number): void {
    const row = this.points.row(point);
    this.points.give(point);
    const leaf = Math.floor(row / leafRows);
    const count = (this.#counts[leaf] as number) - 1;
    this.#moveRow(leaf * leafRows + count, row);
    this.#counts[leaf] = count;
    const vertex = this.#vertexOfLeaf[leaf] as number;
    if (count === 0) this.#removeLeaf(leaf, vertex);
    else this.#shrink(vertex);
  }

  #vectorAt(row: number): Float32Array {
    return this.#coordinates.subarray(row * this.dimensions, (row + 1) * this.dimensions);
  }

  #insert(vector: Float32Array, point: number): void {
    if (this.#root === none) this.#root = this.#leafVertex(none);
    const boxed = this.#boxed(vector);
    let vertex = this.#root;
    let depth = 0;
    this.#extend(vertex, boxed);
    while ((this.#children[2 * vertex] as number) >= 0) {
      const value = vector[this.#splitDimensions[vertex] as number] as number;
      const split = this.#splitValues[vertex] as number;
      // What lies on the split is dealt out, so that many equal ones do not make one deep branch.
      const isRight = value === split ? (point >> (depth % 16)) & 1 : Number(value > split);
      vertex = this.#children[2 * vertex + isRight] as number;
      depth += 1;
      this.#extend(vertex, boxed);
    }
    const leaf = -1 - (this.#children[2 * vertex] as number);
    const count = this.#counts[leaf] as number;
    this.#writeRow(leaf * leafRows + count, vector, point);
    this.#counts[leaf] = count + 1;
    if (count + 1 === leafRows) this.#build(vertex, this.#takeRows(vertex));
    if (depth > 2 * Math.log2(this.#leaves + 1) + 8) this.#rebalance(vertex);
  }

  /** Builds anew the lowest branch around a vertex that is much deeper than it is large. */
  #rebalance(vertex: number): void {
    let height = 1;
    for (let at = this.#parents[vertex] as number; at !== none; at = this.#parents[at] as number) {
      height += 1;
      if (height > 4 && height > 1.5 * Math.log2(this.#leavesBelow(at)) + 2) {
        this.#build(at, this.#takeRows(at));
        return;
      }
    }
  }

  #leavesBelow(vertex: number): number {
    return this.#leavesOf(vertex).reduce((leaves) => leaves + 1, 0);
  }

  *#leavesOf(top: number): Generator<number> {
    const stack = [top];
    for (let vertex = stack.pop(); vertex !== undefined; vertex = stack.pop()) {
      if ((this.#children[2 * vertex] as number) < 0) yield vertex;
      else stack.push(this.#children[2 * vertex] as number, this.#children[2 * vertex + 1] as number);
    }
  }

  /** Takes a branch apart down to its top vertex, which is a leaf without rows then. */
  #takeRows(top: number): Rows {
    const leaves = [...this.#leavesOf(top)].map((vertex) => -1 - (this.#children[2 * vertex] as number));
    const count = leaves.reduce((sum, leaf) => sum + (this.#counts[leaf] as number), 0);
    const rows = { vectors: new Float32Array(count * this.dimensions), points: new Int32Array(count), order: Int32Array.from({ length: count }, (_, index) => index) };
    let at = 0;
    for (const leaf of leaves) {
      const start = leaf * leafRows;
      const end = start + (this.#counts[leaf] as number);
      rows.vectors.set(this.#coordinates.subarray(start * this.dimensions, end * this.dimensions), at * this.dimensions);
      rows.points.set(this.#rowPoints.subarray(start, end), at);
      at += end - start;
      this.#counts[leaf] = 0;
      this.#freeLeaves.push(leaf);
    }
    this.#freeBelow(top);
    return rows;
  }

  #freeBelow(top: number): void {
    const stack = [top];
    for (let vertex = stack.pop(); vertex !== undefined; vertex = stack.pop()) {
      if ((this.#children[2 * vertex] as number) >= 0) stack.push(this.#children[2 * vertex] as number, this.#children[2 * vertex + 1] as number);
      if (vertex !== top) this.#freeVertices.push(vertex);
    }
  }

  /** Makes a vertex the top of a branch that holds the rows. */
  #build(top: number, rows: Rows): void {
    const stack = [{ vertex: top, start: 0, end: rows.order.length }];
    const made: number[] = [];
    for (let branch = stack.pop(); branch !== undefined; branch = stack.pop()) {
      const { vertex, start, end } = branch;
      made.push(vertex);
      // A leaf has room for a row more.
      if (end - start < leafRows) {
        this.#fillLeaf(vertex, rows, start, end);
        continue;
      }
      const { dimension, value } = this.#split(rows, start, end);
      const middle = (start + end) >> 1;
      const left = this.#vertex(vertex);
      const right = this.#vertex(vertex);
      this.#children[2 * vertex] = left;
      this.#children[2 * vertex + 1] = right;
      this.#splitDimensions[vertex] = dimension;
      this.#splitValues[vertex] = value;
      stack.push({ vertex: left, start, end: middle }, { vertex: right, start: middle, end });
    }
    for (const vertex of made.reverse()) this.#box(vertex);
  }

  #fillLeaf(vertex: number, { vectors, points, order }: Rows, start: number, end: number): void {
    const leaf = this.#leaf(vertex);
    for (let index = start; index < end; index++) {
      const row = order[index] as number;
      this.#writeRow(leaf * leafRows + index - start, vectors.subarray(row * this.dimensions, (row + 1) * this.dimensions), points[row] as number);
    }
    this.#counts[leaf] = end - start;
  }

  /** Orders rows so that the lower half along the widest side comes first. */
  #split({ vectors, order }: Rows, start: number, end: number): { readonly dimension: number; readonly value: number } {
    let dimension = 0;
    let widest = -1;
    for (let candidate = 0; candidate < this.dimensions; candidate++) {
      let least = Infinity;
      let greatest = -Infinity;
      for (let index = start; index < end; index++) {
        const value = vectors[(order[index] as number) * this.dimensions + candidate] as number;
        if (value < least) least = value;
        if (value > greatest) greatest = value;
      }
      if (greatest - least > widest) {
        widest = greatest - least;
        dimension = candidate;
      }
    }
    const valueOf = (row: number): number => vectors[row * this.dimensions + dimension] as number;
    order.subarray(start, end).sort((left, right) => valueOf(left) - valueOf(right));
    return { dimension, value: valueOf(order[(start + end) >> 1] as number) };
  }

  #removeLeaf(leaf: number, vertex: number): void {
    this.#freeLeaves.push(leaf);
    const parent = this.#parents[vertex] as number;
    this.#freeVertices.push(vertex);
    if (parent === none) {
      this.#root = none;
      return;
    }
    const sibling = this.#children[2 * parent] === vertex ? (this.#children[2 * parent + 1] as number) : (this.#children[2 * parent] as number);
    const above = this.#parents[parent] as number;
    this.#parents[sibling] = above;
    this.#freeVertices.push(parent);
    if (above === none) {
      this.#root = sibling;
      return;
    }
    this.#children[2 * above + Number(this.#children[2 * above + 1] === parent)] = sibling;
    this.#shrink(above);
  }

  #boxAll(top: number): void {
    const vertices: number[] = [];
    const stack = [top];
    for (let vertex = stack.pop(); vertex !== undefined; vertex = stack.pop()) {
      vertices.push(vertex);
      if ((this.#children[2 * vertex] as number) >= 0) stack.push(this.#children[2 * vertex] as number, this.#children[2 * vertex + 1] as number);
    }
    for (const vertex of vertices.reverse()) this.#box(vertex);
  }

  /** Boxes that a row has left, from a vertex up. */
  #shrink(vertex: number): void {
    for (let at = vertex; at !== none && this.#box(at); at = this.#parents[at] as number);
  }

  /** The box of a vertex by what is right below it. Returns whether it has changed. */
  #box(vertex: number): boolean {
    const width = 2 * this.dimensions;
    const before = this.#boxes.slice(vertex * width, (vertex + 1) * width);
    this.#boxes.fill(Infinity, vertex * width, vertex * width + this.dimensions);
    this.#boxes.fill(-Infinity, vertex * width + this.dimensions, (vertex + 1) * width);
    const first = this.#children[2 * vertex] as number;
    if (first < 0) {
      const start = (-1 - first) * leafRows;
      for (let row = start; row < start + (this.#counts[-1 - first] as number); row++) this.#extend(vertex, this.#boxed(this.#vectorAt(row)));
    } else {
      for (const child of [first, this.#children[2 * vertex + 1] as number]) {
        this.#extend(vertex, this.#boxes.subarray(child * width, child * width + this.dimensions));
        this.#extend(vertex, this.#boxes.subarray(child * width + this.dimensions, (child + 1) * width));
      }
    }
    return before.some((value, index) => value !== this.#boxes[vertex * width + index]);
  }

  /** The coordinates that boxes are made of. */
  #boxed(vector: Float32Array): Float32Array {
    if (this.#metric === 'euclidean') return vector;
    const norm = normOf(vector);
    return vector.map((value) => value / norm);
  }

  #extend(vertex: number, boxed: Float32Array): void {
    const least = 2 * this.dimensions * vertex;
    const greatest = least + this.dimensions;
    for (let dimension = 0; dimension < this.dimensions; dimension++) {
      const value = boxed[dimension] as number;
      if (value < (this.#boxes[least + dimension] as number)) this.#boxes[least + dimension] = value;
      if (value > (this.#boxes[greatest + dimension] as number)) this.#boxes[greatest + dimension] = value;
    }
  }

  #writeRow(row: number, vector: Float32Array, point: number): void {
    this.#coordinates.set(vector, row * this.dimensions);
    this.#rowPoints[row] = point;
    this.points.setRow(point, row);
  }

  #moveRow(from: number, to: number): void {
    if (from !== to) this.#writeRow(to, this.#vectorAt(from), this.#rowPoints[from] as number);
  }

  #leafVertex(parent: number): number {
    const vertex = this.#vertex(parent);
    this.#leaf(vertex);
    return vertex;
  }

  /** A leaf without rows for a vertex. */
  #leaf(vertex: number): number {
    const leaf = this.#freeLeaves.pop() ?? this.#leaves++;
    if (leaf >= this.#counts.length) this.#growLeaves(Math.ceil(Math.max(16, leaf * 1.25)));
    this.#counts[leaf] = 0;
    this.#vertexOfLeaf[leaf] = vertex;
    this.#children[2 * vertex] = -1 - leaf;
    return leaf;
  }

  #vertex(parent: number): number {
    const vertex = this.#freeVertices.pop() ?? this.#vertices++;
    if (vertex >= this.#parents.length) this.#growVertices(Math.ceil(Math.max(16, vertex * 1.25)));
    this.#parents[vertex] = parent;
    const width = 2 * this.dimensions;
    this.#boxes.fill(Infinity, vertex * width, vertex * width + this.dimensions);
    this.#boxes.fill(-Infinity, vertex * width + this.dimensions, (vertex + 1) * width);
    return vertex;
  }

  #growVertices(length: number): void {
    this.#children = copied(this.#children, new Int32Array(2 * length));
    this.#boxes = copied(this.#boxes, new Float32Array(2 * this.dimensions * length));
    this.#parents = copied(this.#parents, new Int32Array(length));
    this.#splitDimensions = copied(this.#splitDimensions, new Int32Array(length));
    this.#splitValues = copied(this.#splitValues, new Float32Array(length));
  }

  #growLeaves(length: number): void {
    this.#counts = copied(this.#counts, new Int32Array(length));
    this.#vertexOfLeaf = copied(this.#vertexOfLeaf, new Int32Array(length));
    this.#coordinates = copied(this.#coordinates, new Float32Array(length * leafRows * this.dimensions));
    this.#rowPoints = copied(this.#rowPoints, new Int32Array(length * leafRows));
  }
}

type Rows = { readonly vectors: Float32Array; readonly points: Int32Array; readonly order: Int32Array };


function copied<Column extends Int32Array | Float32Array>(from: Column, into: Column): Column {
  into.set(from);
  return into;
}
