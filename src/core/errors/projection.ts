import { errorFactory, type ErrorArea } from './error.ts';

/** Codes of fitted projections: of the fit, of the file that it makes, and of the vectors that go through it. */
export const projectionErrors = {
  LS_PROJECTION_KIND_UNKNOWN: {
    cause: 'configuration',
    retryable: false,
    summary: 'There is no projection of that kind.',
    remedy: 'Use a kind that the message names, or the version of labelstream that knows this one.',
  },
  LS_PROJECTION_SAMPLE_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'A projection cannot be fitted to what was given: too few vectors, vectors of different lengths, or values that are not finite.',
    remedy: 'Fit it when the collection holds more items, with a larger sample, or with fewer dimensions.',
  },
  LS_PROJECTION_RANK_DEFICIENT: {
    cause: 'input',
    retryable: false,
    summary: 'The vectors of the sample vary in fewer directions than the projection is to keep.',
    remedy: 'Ask for at most as many dimensions as the message names, or fit it to a larger and more varied sample.',
  },
  LS_PROJECTION_VECTOR_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'A vector has no image under a projection: it has the wrong length, holds a value that is not finite, or is the mean of the sample.',
    remedy: 'Correct the model that made it; the message names the reason.',
  },
  LS_PROJECTION_ARTEFACT_INVALID: {
    cause: 'environment',
    retryable: false,
    summary: 'A file is not the projection that it is taken for: another hash than its name, another format, or damaged.',
    remedy: 'Bring the file back from a backup or another instance, or fit the projection anew.',
  },
} as const satisfies ErrorArea;

export const projectionError = errorFactory(projectionErrors);
