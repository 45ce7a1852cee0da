import { errorFactory, type ErrorArea } from './error.ts';

export const stateErrors = {
  LS_STATE_LOG_TRUNCATED: {
    cause: 'environment',
    retryable: false,
    summary: 'The records between the newest valid snapshot (or the beginning of the log, without one) and the first record kept are gone.',
    remedy: 'Restore an older state directory or the missing part of the log; raise the retention of the topic above the snapshot interval.',
  },
  LS_STATE_WRITE_FAILED: {
    cause: 'environment',
    retryable: true,
    summary: 'A snapshot could not be written. The stage goes on and tries again later; until then a restart takes longer.',
    remedy: 'Make room on the disk of the state directory, or repair its permissions.',
  },
  LS_STATE_DISCARD_FAILED: {
    cause: 'environment',
    retryable: false,
    summary: 'Snapshots above the committed position, which belong to a history that the log does not have, could not be removed.',
    remedy: 'Make the state directory writable, or remove the named snapshots yourself, and start again: kept, one could be taken for the state later.',
  },
  LS_STATE_SNAPSHOT_CORRUPT: {
    cause: 'environment',
    retryable: false,
    summary: 'The checksum or the form of a snapshot does not hold. It is passed over for the one before.',
    remedy: 'Check the disk of the state directory; remove the file once its cause is known.',
  },
} as const satisfies ErrorArea;

export const stateError = errorFactory(stateErrors);
