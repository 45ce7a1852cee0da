import { errorFactory, type ErrorArea } from './error.ts';

export const pipelineErrors = {
  LS_TRANSPORT_POSITION_LOST: {
    cause: 'environment',
    retryable: false,
    summary: 'The committed position of a partition is no longer in the topic: records between it and the first kept one were never read.',
    remedy: 'Find out why retention outran the consumer; then accept the gap explicitly, or replay from another source.',
  },
  LS_TRANSPORT_REVOKED: {
    cause: 'environment',
    retryable: false,
    summary: 'A call was made on a partition that this process no longer owns.',
    remedy: 'Nothing: the new owner goes on from the committed position.',
  },
  LS_TRANSPORT_CALL_OVERLAP: {
    cause: 'defect',
    retryable: false,
    summary: 'A partition was polled or delivered to while the call before had not ended.',
    remedy: 'Report it: one poll and one deliver at a time per partition.',
  },
  LS_TRANSPORT_CLOSED: {
    cause: 'defect',
    retryable: false,
    summary: 'A call was made on a transport that is closed, or it was closed during the call.',
    remedy: 'Abort what is in flight before closing the transport.',
  },
  LS_TRANSPORT_TOPIC_MISSING: {
    cause: 'configuration',
    retryable: false,
    summary: 'A topic, or a partition of it, does not exist.',
    remedy: 'Create it first (`run` creates the topics of its configuration), or correct its name.',
  },
  LS_TRANSPORT_TOPIC_INVALID: {
    cause: 'configuration',
    retryable: false,
    summary: 'A topic cannot be made with this name or partition count.',
    remedy: 'Use 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-" (not "." or ".."), and 1 to 10,000 partitions.',
  },
  LS_TRANSPORT_PARTITION_COUNT: {
    cause: 'configuration',
    retryable: false,
    summary: 'A topic exists with another partition count than the one asked for.',
    remedy: 'Set the partition count of the existing topic, or use a new log directory or topic; records do not move between partitions.',
  },
  LS_TRANSPORT_POSITION_INVALID: {
    cause: 'defect',
    retryable: false,
    summary: 'A position was not made by this transport.',
    remedy: 'Use positions only with the transport and topic that they came from.',
  },
  LS_TRANSPORT_RECORD_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'A record is larger than the transport carries.',
    remedy: 'Publish a reference instead of inline content, or raise the size limit of records.',
  },
} as const satisfies ErrorArea;

export const pipelineError = errorFactory(pipelineErrors);
