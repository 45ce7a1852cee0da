/**
 * Fitted projections: what a collection may put between the vectors of its model and its distances, fitted once to a sample and from then on fixed,
 * like a model (SEMANTICS.md, rule 16). A kind is one file behind this port.
 */
import type { SlicedWork } from '../sliced-work.ts';

/** What a fit makes: numbers by name, which a kind makes a projection of. It is what goes into a file, and nothing else does. */
export type ProjectionArtefact = {
  readonly kind: string;
  readonly inputDimensions: number;
  readonly outputDimensions: number;
  /** How many vectors it was fitted to. */
  readonly sampleSize: number;
  /** Finite; in the order of the kind. */
  readonly arrays: readonly NamedArray[];
};

export type NamedArray = { readonly name: string; readonly values: Float64Array };

export type FittedProjection = {
  readonly kind: string;
  readonly inputDimensions: number;
  readonly outputDimensions: number;
  /**
   * The image of a vector: the same bytes on every machine, since it is made by + - * / and square roots of float64 in a fixed order, and rounded to
   * float32 at the end. Throws LS_PROJECTION_VECTOR_INVALID for a vector of another length, with a value that is not finite, or without an image.
   */
  readonly apply: (vector: Float32Array) => Float32Array;
};

export type ProjectionKind = {
  readonly kind: string;
  /**
   * By the sample alone: no chance takes part, the order of the sample only in last bits. Throws LS_PROJECTION_SAMPLE_INVALID and
   * LS_PROJECTION_RANK_DEFICIENT.
   */
  readonly fit: (sample: readonly Float32Array[], outputDimensions: number) => SlicedWork<ProjectionArtefact>;
  /** Throws LS_PROJECTION_ARTEFACT_INVALID where the arrays are not those of the kind. */
  readonly open: (artefact: ProjectionArtefact) => FittedProjection;
};
