import { errorFactory, type ErrorArea } from './error.ts';

export const pipelineErrors = {
  LS_TRANSPORT_POSITION_LOST: {
    cause: 'environment',
    retryable: false,
    summary: 'The committed position of a partition is no longer in the topic, so that records between it and the first kept one were never read; or the position itself is gone, having expired while the group had no members.',
    remedy: 'Find out why retention outran the consumer, or raise offsets.retention.minutes. Then stop `run` and say where to go on with `labelstream groups reset`: at the first record kept, to accept a gap; where the position is gone, at a place of your choice (for features, the one after the snapshot that the message names). What is missing can be published again.',
  },
  LS_TRANSPORT_REVOKED: {
    cause: 'environment',
    retryable: false,
    summary: 'A call was made on a partition that this process no longer owns.',
    remedy: 'Nothing: the new owner goes on from the committed position.',
  },
  LS_TRANSPORT_FENCED: {
    cause: 'environment',
    retryable: false,
    summary: 'Another process has claimed the topic since: it goes on from what is there, and this one may append nothing more.',
    remedy: 'Let the other one end, see what is left (`labelstream dlq list --state open`), and give the command again only for that.',
  },
  LS_TRANSPORT_GROUP_ACTIVE: {
    cause: 'environment',
    retryable: false,
    summary: 'The position of a consumer group was to be set while the group has members: they would go on from where they are.',
    remedy: 'Stop every `run` of the group first (on Kafka a member that died leaves after transport.sessionTimeoutMs), then give the command again.',
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
    remedy: 'Create it first (`labelstream topics create`; on the embedded log `run` does it), or correct its name.',
  },
  LS_TRANSPORT_TOPIC_SETTINGS: {
    cause: 'configuration',
    retryable: false,
    summary: 'Topics are missing, or have settings with which records would be lost, refused or misdated.',
    remedy: 'Mend what is listed (`labelstream topics check` lists it again), or make what is missing with `labelstream topics create`.',
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
    remedy: 'Set `transport.partitionCount` (of features: `transport.featuresPartitionCount`) to what the topic has. That of features can change: `labelstream topics repartition`. For the others use new topics (on the embedded log another `dataDirectory`, on Kafka another `transport.namePrefix`): records do not move between partitions.',
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
  LS_PIPELINE_EXACTLY_ONCE_UNSUPPORTED: {
    cause: 'configuration',
    retryable: false,
    summary: 'Exactly-once delivery was asked for on a transport that cannot commit outputs and positions together.',
    remedy: 'Set the delivery to at-least-once (ids are deterministic, so consumers can drop repeats), or use a transport with transactions.',
  },
  LS_PIPELINE_CHECKPOINT_CONFLICT: {
    cause: 'environment',
    retryable: false,
    summary: 'The committed position of a partition was moved by somebody else while this process owned it.',
    remedy: 'Stop whatever else commits for this consumer group, then restart; nothing was skipped.',
  },
  LS_PIPELINE_PROCESS_FAILED: {
    cause: 'defect',
    retryable: false,
    summary: 'A stage failed on a record instead of turning the failure into a dead letter.',
    remedy: 'See the cause. The partition stands before the record that the error names; nothing was lost.',
  },
  LS_PIPELINE_FOLD_FAILED: {
    cause: 'defect',
    retryable: false,
    summary: 'A fold failed on a record that its check had let pass, so the state of the partition cannot be trusted any more.',
    remedy: 'See the cause. A restart goes on from the last snapshot; if the same record fails again, report it.',
  },
  LS_PIPELINE_FOLD_DIVERGED: {
    cause: 'defect',
    retryable: false,
    summary: 'Folding a record again gave fewer outputs than had been sent of it before: the fold is not deterministic.',
    remedy: 'Report it, with the versions that ran before and after the restart.',
  },
  LS_PIPELINE_STOPPED: {
    cause: 'environment',
    retryable: false,
    summary: 'The runner was stopped before what was waited for had happened.',
    remedy: 'Nothing: a restart goes on from the committed positions.',
  },
} as const satisfies ErrorArea;

export const pipelineError = errorFactory(pipelineErrors);
