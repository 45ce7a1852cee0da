/**
 * `whiten`: centre, rotate to the principal components, divide each by its standard deviation, drop all but the first, and normalise to length 1.
 *
 *   y_i = sum over j of transform[i][j] * (x_j - mean[j]),   result = y / |y|,   transform[i] = component i / its standard deviation
 *
 * Embeddings of one model share a few strong directions that say little about what a text is about, and by which everything is near everything;
 * whitening gives the directions equal weight. Distances of the result are cosine distances, or euclidean ones of points on a sphere.
 */
import { types } from 'node:util';
import { counted } from '../../core/counted.ts';
import { projectionError } from '../../core/errors/projection.ts';
import type { SlicedWork } from '../sliced-work.ts';
import type { FittedProjection, ProjectionArtefact, ProjectionKind } from './projection.ts';
import { symmetricEigenpairs } from './symmetric-eigen.ts';

export const whiten: ProjectionKind = { kind: 'whiten', fit, open };

/** Variance below this part of the largest is the rounding of float32 (2^-24, squared), not data. */
const negligibleVariance = 1e-12;

/** In standard deviations: what is nearer to the mean has no direction but that of rounding. */
const negligibleLength = 1e-9;

function* fit(sample: readonly Float32Array[], outputDimensions: number): SlicedWork<ProjectionArtefact> {
  const inputDimensions = checkSample(sample, outputDimensions);
  const mean = yield* meanOf(sample, inputDimensions);
  const covariance = yield* covarianceOf(sample, mean);
  // Values of any size: the matrix is brought near 1, and what comes of it is brought back.
  let scale = 0;
  for (let index = 0; index < inputDimensions; index++) scale = Math.max(scale, covariance[index * inputDimensions + index] as number);
  if (scale === 0) throw deficient(0, outputDimensions, sample.length);
  for (let index = 0; index < covariance.length; index++) covariance[index] = (covariance[index] as number) / scale;
  const { values, vectors } = yield* symmetricEigenpairs(covariance, inputDimensions);
  const largest = values[0] as number;
  const rank = Math.min(sample.length - 1, values.filter((value) => value > largest * negligibleVariance).length);
  if (rank < outputDimensions) throw deficient(rank, outputDimensions, sample.length);
  const variances = values.slice(0, outputDimensions).map((value) => value * scale);
  const transform = vectors.slice(0, outputDimensions * inputDimensions);
  for (let row = 0; row < outputDimensions; row++) {
    const deviation = Math.sqrt(variances[row] as number);
    for (let at = row * inputDimensions; at < (row + 1) * inputDimensions; at++) transform[at] = (transform[at] as number) / deviation;
  }
  return {
    kind: whiten.kind,
    inputDimensions,
    outputDimensions,
    sampleSize: sample.length,
    arrays: [{ name: 'mean', values: mean }, { name: 'variances', values: variances }, { name: 'transform', values: transform }],
  };
}

function checkSample(sample: readonly Float32Array[], outputDimensions: number): number {
  const inputDimensions = sample[0]?.length ?? 0;
  const refuse = (message: string) => projectionError('LS_PROJECTION_SAMPLE_INVALID', message, { sampleSize: sample.length, outputDimensions });
  if (!Number.isSafeInteger(outputDimensions) || outputDimensions < 1) throw refuse(`the dimensions to be kept are a whole number from 1 up, not ${outputDimensions}`);
  if (sample.length <= outputDimensions) {
    throw refuse(`${outputDimensions} dimensions need a sample of ${outputDimensions + 1} vectors or more, and there are ${sample.length}; ten times as many make a good fit`);
  }
  if (outputDimensions > inputDimensions) throw refuse(`vectors of ${inputDimensions} dimensions cannot be projected to ${outputDimensions}`);
  for (const [index, vector] of sample.entries()) {
    if (!types.isFloat32Array(vector)) throw refuse(`vector ${index} of the sample is no Float32Array`);
    if (vector.length !== inputDimensions) throw refuse(`vector ${index} of the sample has ${vector.length} dimensions, those before it ${inputDimensions}`);
    const invalid = vector.findIndex((value) => !Number.isFinite(value));
    if (invalid >= 0) throw refuse(`vector ${index} of the sample holds ${String(vector[invalid])} at index ${invalid}`);
  }
  return inputDimensions;
}

function deficient(rank: number, outputDimensions: number, sampleSize: number) {
  const message = `the ${sampleSize} vectors of the sample vary in ${counted(rank, 'direction')}, and ${counted(outputDimensions, 'dimension')} are asked for`;
  return projectionError('LS_PROJECTION_RANK_DEFICIENT', message, { rank, outputDimensions, sampleSize });
}

function* meanOf(sample: readonly Float32Array[], dimensions: number): SlicedWork<Float64Array> {
  const mean = new Float64Array(dimensions);
  for (const vector of sample) {
    for (let index = 0; index < dimensions; index++) mean[index] = (mean[index] as number) + (vector[index] as number);
    yield dimensions;
  }
  return mean.map((sum) => sum / sample.length);
}

/** The lower triangle of each column, which is all that the eigenvalues are computed from, and its mirror image. */
function* covarianceOf(sample: readonly Float32Array[], mean: Float64Array): SlicedWork<Float64Array> {
  const n = mean.length;
  const covariance = new Float64Array(n * n);
  const centred = new Float64Array(n);
  for (const vector of sample) {
    for (let index = 0; index < n; index++) centred[index] = (vector[index] as number) - (mean[index] as number);
    for (let column = 0; column < n; column++) {
      const factor = centred[column] as number;
      const at = column * n;
      for (let row = column; row < n; row++) covariance[at + row] = (covariance[at + row] as number) + factor * (centred[row] as number);
    }
    yield (n * n) / 2;
  }
  for (let column = 0; column < n; column++) {
    for (let row = column; row < n; row++) {
      const value = (covariance[column * n + row] as number) / (sample.length - 1);
      covariance[column * n + row] = value;
      covariance[row * n + column] = value;
    }
  }
  return covariance;
}

function open({ kind, inputDimensions, outputDimensions, arrays }: ProjectionArtefact): FittedProjection {
  const [mean, variances, transform] = arrays;
  const isSound =
    arrays.map(({ name }) => name).join(' ') === 'mean variances transform' &&
    mean?.values.length === inputDimensions && variances?.values.length === outputDimensions &&
    transform?.values.length === inputDimensions * outputDimensions;
  if (!isSound) throw projectionError('LS_PROJECTION_ARTEFACT_INVALID', 'its arrays are not those of a projection of kind whiten', { kind });
  return { kind, inputDimensions, outputDimensions, apply: (vector) => applied(vector, mean.values, transform.values, outputDimensions) };
}

function applied(vector: Float32Array, mean: Float64Array, transform: Float64Array, outputDimensions: number): Float32Array {
  const dimensions = mean.length;
  const refuse = (reason: string) => projectionError('LS_PROJECTION_VECTOR_INVALID', `the vector ${reason}`, { kind: whiten.kind });
  if (vector.length !== dimensions) throw refuse(`has ${vector.length} dimensions instead of ${dimensions}`);
  const centred = new Float64Array(dimensions);
  for (let index = 0; index < dimensions; index++) {
    const value = vector[index] as number;
    if (!Number.isFinite(value)) throw refuse(`holds ${value} at index ${index}`);
    centred[index] = value - (mean[index] as number);
  }
  const image = new Float64Array(outputDimensions);
  let squares = 0;
  for (let row = 0; row < outputDimensions; row++) {
    const at = row * dimensions;
    let sum = 0;
    for (let index = 0; index < dimensions; index++) sum += (transform[at + index] as number) * (centred[index] as number);
    image[row] = sum;
    squares += sum * sum;
  }
  const length = Math.sqrt(squares);
  if (!(length > negligibleLength)) throw refuse('is the mean of the sample as far as the projection sees it, so it has no direction');
  if (!Number.isFinite(length)) throw refuse('is too large for the projection');
  const result = new Float32Array(outputDimensions);
  for (let row = 0; row < outputDimensions; row++) result[row] = (image[row] as number) / length;
  return result;
}
