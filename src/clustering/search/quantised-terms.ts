/**
 * What says of a row in a cell that it cannot be near a query: its head in 7 bits, x = s X + e with X in -63 to 63, the distance of its tail from the
 * centre's, and its norm. With the query's head in 8 bits, q = t Q + f,
 *
 *     q . x <= s t X . Q + |t Q| |e| + |f| |x| + q tail . c tail + |q tail| |x tail - c tail|
 *
 * (Cauchy and Schwarz). s and the greatest |e| are the cell's; a row that does not fit its scale has a large |e|. The kernels multiply X + 64, which has
 * 7 bits and no sign, so that no processor saturates, and take 64 times the sum of Q away again.
 */
import { errorShare, roundedUp, tailNorm, type Query } from './query-record.ts';
import { integersAt, pageRows, reachBytes, type BlockView, type RowLayout } from './row-layout.ts';

const rowMax = 63;
const rowZero = 64;
const queryMax = 127;
/** Of the norm: a head that is as good as nothing needs no scale of its own, and a scale that float32 can hold is left. */
const leastShare = 2 ** -10;

/** The scale of a cell with that vector in it. */
export function scaleOf(vector: Float32Array, norm: number, { pageHeadWidth }: RowLayout): number {
  let greatest = norm * leastShare;
  for (let index = 0; index < pageHeadWidth; index++) greatest = Math.max(greatest, Math.abs(vector[index] as number));
  return Math.fround(greatest / rowMax);
}

/** Writes the terms of a row. Returns |e|, rounded up. */
export function writeTerms({ terms, termBytes }: BlockView, row: number, layout: RowLayout, vector: Float32Array, norm: number, { tailDistance, scale }: { readonly tailDistance: number; readonly scale: number }): number {
  const place = row % pageRows;
  const at = ((row - place) / pageRows) * layout.termBytes;
  const rows = at + reachBytes;
  terms[rows / 4 + place] = tailDistance;
  terms[rows / 4 + pageRows + place] = norm;
  let squares = 0;
  for (let index = 0; index < layout.pageIntegers; index++) {
    const value = index < layout.pageHeadWidth ? (vector[index] as number) : 0;
    const whole = scale === 0 ? 0 : Math.max(-rowMax, Math.min(rowMax, Math.round(value / scale)));
    termBytes[rows + 8 * pageRows + (index >> 2) * 4 * pageRows + 4 * place + (index & 3)] = whole + rowZero;
    squares += (value - whole * scale) ** 2;
  }
  return roundedUp(Math.sqrt(squares));
}

/** Of a query: its scale and |t Q|, rounded up. */
export type QuantisedQuery = { readonly scale: number; readonly lost: number };

/** Writes what the record of a query says of its quantised head, and the factors of the norms, which hold what float32 makes of all this. @param record of bytes. */
export function writeQuantisedQuery(query: Query, layout: RowLayout, record: DataView): QuantisedQuery {
  const { vector, norm } = query;
  const { pageHeadWidth, pageIntegers, integers, dimensions } = layout;
  let greatest = norm * leastShare;
  for (let index = 0; index < pageHeadWidth; index++) greatest = Math.max(greatest, Math.abs(vector[index] as number));
  const scale = Math.fround(greatest / queryMax);
  let sum = 0;
  let squares = 0;
  let errors = 0;
  for (let index = 0; index < pageIntegers; index++) {
    const value = index < pageHeadWidth ? (vector[index] as number) : 0;
    const whole = scale === 0 ? 0 : Math.max(-queryMax, Math.min(queryMax, Math.round(value / scale)));
    record.setInt8(integers + integersAt + index, whole);
    sum += whole;
    squares += whole * whole;
    errors += (value - whole * scale) ** 2;
  }
  const lost = roundedUp(Math.sqrt(squares) * scale);
  const { low } = query.bounds;
  record.setFloat32(24, roundedUp(Math.sqrt(errors)) + 2 * errorShare(dimensions) * norm - low.norm, true);
  record.setFloat32(28, -low.square / 2, true);
  record.setFloat32(integers, roundedUp(tailNorm(vector, pageHeadWidth)), true);
  record.setFloat32(integers + 4, scale, true);
  record.setFloat32(integers + 8, lost, true);
  record.setInt32(integers + 12, -rowZero * sum, true);
  return { scale, lost };
}
