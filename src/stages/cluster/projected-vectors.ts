/** What is clustered in the place of an item's vector, and where that vector is. */
import { checkVector } from '../../clustering/distance.ts';
import type { FittedProjection } from '../../clustering/projection/projection.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { FeatureEvent, Metric } from '../../core/events.generated.ts';
import type { CollectionState, FamilyState, PartitionState } from './state.ts';

/** As the model gave it; undefined where the item does not live. A copy. */
export function rawVectorOf({ clustering, raw }: Pick<CollectionState, 'clustering' | 'raw'>, itemId: string): Float32Array | undefined {
  if (raw === undefined) return clustering.vector(itemId);
  const index = clustering.itemIndex(itemId);
  return index === -1 ? undefined : raw.get(index);
}

/** Undefined where the family has none. @throws where the one in force was not loaded before the record: a mistake of ours. */
export function projectionOf({ projections }: PartitionState, { name, projectionSha256 }: FamilyState): FittedProjection | undefined {
  if (projectionSha256 === null) return undefined;
  const projection = projections.loaded(projectionSha256);
  if (projection === undefined) throw new Error(`The projection ${projectionSha256} of ${name} is not at hand`);
  return projection;
}

export type Image = { readonly vector: Float32Array; readonly fault?: undefined } | { readonly vector?: undefined; readonly fault: string };

/** @returns what is clustered, or why the vector cannot be in such a collection, to be read after "the vector". */
export function imageOf(projection: FittedProjection | undefined, metric: Metric, vector: Float32Array, dimensions: number): Image {
  if (projection === undefined) {
    const fault = checkVector(vector, dimensions, metric);
    return fault === undefined ? { vector } : { fault };
  }
  // What a projection is fitted to need not be what the metric asks of vectors: the zero vector has an image.
  const fault = checkVector(vector, dimensions, 'euclidean');
  if (fault !== undefined) return { fault };
  try {
    const image = projection.apply(vector);
    const imageFault = checkVector(image, projection.outputDimensions, metric);
    return imageFault === undefined ? { vector: image } : { fault: `has an image that ${imageFault}` };
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_PROJECTION_VECTOR_INVALID') return { fault: `has no image: ${error.message}` };
    throw error;
  }
}

type ImagedUnder = { readonly projection: FittedProjection | undefined; readonly metric: Metric; readonly dimensions: number };

/** A feature's vector, and what is clustered in its place. */
export type ImagedVector = { readonly vector: Float32Array; readonly image: Image };

/** Of features that were prepared: the fold comes to the same event again. */
export type KnownImages = { readonly of: (feature: FeatureEvent, under: ImagedUnder, make: () => ImagedVector) => ImagedVector };

export function createKnownImages(): KnownImages {
  const known = new WeakMap<FeatureEvent, ImagedUnder & { readonly imaged: ImagedVector }>();
  return {
    of: (feature, { projection, metric, dimensions }, make) => {
      const found = known.get(feature);
      if (found !== undefined && found.projection === projection && found.metric === metric && found.dimensions === dimensions) return found.imaged;
      const imaged = make();
      known.set(feature, { projection, metric, dimensions, imaged });
      return imaged;
    },
  };
}
