/**
 * Eigenvalues and eigenvectors of a real symmetric matrix: Householder's reduction to tridiagonal form, then the QL method with implicit shifts
 * (EISPACK's tred2 and tql2: Bowdler, Martin, Reinsch and Wilkinson, Handbook for Automatic Computation II, 1971). About 9 n^3 multiply-adds.
 * Columns lie one after the other, so that every inner loop runs along memory and each eigenvector comes out as one piece.
 */
import type { SlicedWork } from '../sliced-work.ts';

export type Eigenpairs = {
  /** Descending. */
  readonly values: Float64Array;
  /** One after the other, in the order of the values; each of length 1, with its component of largest magnitude positive. */
  readonly vectors: Float64Array;
};

/** @param matrix n x n, finite, of which only one triangle is read; it is overwritten. */
export function* symmetricEigenpairs(matrix: Float64Array, n: number): SlicedWork<Eigenpairs> {
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(n);
  yield* reduceToTridiagonal(matrix, diagonal, beside, n);
  yield* accumulateReflections(matrix, diagonal, n);
  yield* diagonalise(matrix, diagonal, beside, n);
  const order = Array.from(diagonal.keys()).sort((left, right) => (diagonal[right] as number) - (diagonal[left] as number) || left - right);
  const vectors = new Float64Array(n * n);
  for (const [rank, column] of order.entries()) vectors.set(withSign(matrix.subarray(column * n, (column + 1) * n)), rank * n);
  return { values: Float64Array.from(order, (column) => diagonal[column] as number), vectors };
}

/** Both signs are eigenvectors; one of them is taken always. */
function withSign(vector: Float64Array): Float64Array {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return largest < 0 ? vector.map((value) => -value) : vector;
}

// In all phases v[j * n + k] is row k of column j, d the diagonal (and scratch before it is known), e what lies beside it.

function* reduceToTridiagonal(v: Float64Array, d: Float64Array, e: Float64Array, n: number): SlicedWork<void> {
  for (let j = 0; j < n; j++) d[j] = v[j * n + n - 1] as number;
  for (let i = n - 1; i > 0; i--) {
    let scale = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(d[k] as number);
    let h = 0;
    if (scale === 0) {
      e[i] = d[i - 1] as number;
      for (let j = 0; j < i; j++) {
        d[j] = v[j * n + i - 1] as number;
        v[j * n + i] = 0;
        v[i * n + j] = 0;
      }
    } else {
      h = reflect(v, d, e, n, i, scale);
    }
    d[i] = h;
    yield 2 * i * i;
  }
}

/** One Householder reflection, applied from both sides. */
function reflect(v: Float64Array, d: Float64Array, e: Float64Array, n: number, i: number, scale: number): number {
  let h = 0;
  for (let k = 0; k < i; k++) {
    const value = (d[k] as number) / scale;
    d[k] = value;
    h += value * value;
  }
  const last = d[i - 1] as number;
  const root = last > 0 ? -Math.sqrt(h) : Math.sqrt(h);
  e[i] = scale * root;
  h -= last * root;
  d[i - 1] = last - root;
  e.fill(0, 0, i);
  for (let j = 0; j < i; j++) {
    const f = d[j] as number;
    v[i * n + j] = f;
    let g = (e[j] as number) + (v[j * n + j] as number) * f;
    for (let k = j + 1; k < i; k++) {
      const value = v[j * n + k] as number;
      g += value * (d[k] as number);
      e[k] = (e[k] as number) + value * f;
    }
    e[j] = g;
  }
  let f = 0;
  for (let j = 0; j < i; j++) {
    e[j] = (e[j] as number) / h;
    f += (e[j] as number) * (d[j] as number);
  }
  const half = f / (h + h);
  for (let j = 0; j < i; j++) e[j] = (e[j] as number) - half * (d[j] as number);
  for (let j = 0; j < i; j++) {
    const left = d[j] as number;
    const right = e[j] as number;
    for (let k = j; k < i; k++) v[j * n + k] = (v[j * n + k] as number) - (left * (e[k] as number) + right * (d[k] as number));
    d[j] = v[j * n + i - 1] as number;
    v[j * n + i] = 0;
  }
  return h;
}

function* accumulateReflections(v: Float64Array, d: Float64Array, n: number): SlicedWork<void> {
  for (let i = 0; i < n - 1; i++) {
    v[i * n + n - 1] = v[i * n + i] as number;
    v[i * n + i] = 1;
    const next = (i + 1) * n;
    const h = d[i + 1] as number;
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = (v[next + k] as number) / h;
      for (let j = 0; j <= i; j++) {
        let g = 0;
        for (let k = 0; k <= i; k++) g += (v[next + k] as number) * (v[j * n + k] as number);
        for (let k = 0; k <= i; k++) v[j * n + k] = (v[j * n + k] as number) - g * (d[k] as number);
      }
    }
    v.fill(0, next, next + i + 1);
    yield 2 * i * i;
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[j * n + n - 1] as number;
    v[j * n + n - 1] = 0;
  }
  v[n * n - 1] = 1;
}

function* diagonalise(v: Float64Array, d: Float64Array, e: Float64Array, n: number): SlicedWork<void> {
  e.copyWithin(0, 1);
  e[n - 1] = 0;
  let shift = 0;
  let magnitude = 0;
  for (let l = 0; l < n; l++) {
    magnitude = Math.max(magnitude, Math.abs(d[l] as number) + Math.abs(e[l] as number));
    const negligible = 2 ** -52 * magnitude;
    let m = l;
    while (m < n - 1 && Math.abs(e[m] as number) > negligible) m++;
    if (m > l) {
      do {
        shift += implicitShift(d, e, l, n);
        rotate(v, d, e, { l, m, n });
        yield 4 * n * (m - l);
      } while (Math.abs(e[l] as number) > negligible);
    }
    d[l] = (d[l] as number) + shift;
    e[l] = 0;
  }
}

function implicitShift(d: Float64Array, e: Float64Array, l: number, n: number): number {
  const g = d[l] as number;
  const off = e[l] as number;
  const p = ((d[l + 1] as number) - g) / (2 * off);
  const r = p < 0 ? -Math.hypot(p, 1) : Math.hypot(p, 1);
  d[l] = off / (p + r);
  d[l + 1] = off * (p + r);
  const h = g - d[l];
  for (let i = l + 2; i < n; i++) d[i] = (d[i] as number) - h;
  return h;
}

type Block = { readonly l: number; readonly m: number; readonly n: number };

/** One QL step over the unreduced block from l to m. */
function rotate(v: Float64Array, d: Float64Array, e: Float64Array, { l, m, n }: Block): void {
  const next = d[l + 1] as number;
  const nextBeside = e[l + 1] as number;
  let p = d[m] as number;
  let [c, c2, c3, s, s2] = [1, 1, 1, 0, 0];
  for (let i = m - 1; i >= l; i--) {
    c3 = c2;
    c2 = c;
    s2 = s;
    const off = e[i] as number;
    const g = c * off;
    const h = c * p;
    const r = Math.hypot(p, off);
    e[i + 1] = s * r;
    s = off / r;
    c = p / r;
    p = c * (d[i] as number) - s * g;
    d[i + 1] = h + s * (c * g + s * (d[i] as number));
    const left = i * n;
    const right = left + n;
    for (let k = 0; k < n; k++) {
      const one = v[left + k] as number;
      const other = v[right + k] as number;
      v[right + k] = s * one + c * other;
      v[left + k] = c * one - s * other;
    }
  }
  p = (-s * s2 * c3 * nextBeside * (e[l] as number)) / next;
  e[l] = s * p;
  d[l] = c * p;
}
