import { errorFactory, type ErrorArea } from './error.ts';

export const pipelineErrors = {
  LS_TRANSPORT_POSITION_LOST: {
    cause: 'environment',
    retryable: false,
    summary: 'The committed position of a partition is no longer in the topic: records between it and the first kept one were never read.',
    remedy: 'Find out why retention outran the consumer; then accept the gap explicitly, or replay from another source.',
  },
} as const satisfies ErrorArea;

export const pipelineError = errorFactory(pipelineErrors);
