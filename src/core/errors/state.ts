import { errorFactory, type ErrorArea } from './error.ts';

export const stateErrors = {
  LS_STATE_LOG_TRUNCATED: {
    cause: 'environment',
    retryable: false,
    summary: 'The records between the newest valid snapshot (or the beginning of the log, without one) and the first record kept are gone.',
    remedy: 'Restore an older state directory or the missing part of the log; raise the retention of the topic above the snapshot interval. To go on without what is gone: `labelstream run --rebuild-from-truncated-log`; add `--dry-run` to see first what that means.',
  },
  LS_STATE_WRITE_FAILED: {
    cause: 'environment',
    retryable: true,
    summary: 'A snapshot could not be written. The stage goes on and tries again later; until then a restart takes longer.',
    remedy: 'Make room on the disk of the state directory, or repair its permissions; of a container, see the reason in the message.',
  },
  LS_STATE_DESIRED_CONFLICT: {
    cause: 'environment',
    retryable: true,
    summary: 'What operators want (paused inputs, unloaded models) was changed by several at the same time.',
    remedy: 'Look at what is wanted now, and ask again.',
  },
  LS_STATE_DISCARD_FAILED: {
    cause: 'environment',
    retryable: false,
    summary: 'Snapshots above the committed position, which belong to a history that the log does not have, could not be removed.',
    remedy: 'Make the state directory or the container writable, or remove the named snapshots yourself, and start again: kept, one could be taken for the state later.',
  },
  LS_STATE_SNAPSHOT_CORRUPT: {
    cause: 'environment',
    retryable: false,
    summary: 'The checksum or the form of a snapshot does not hold. It is passed over for the one before.',
    remedy: 'Check the disk of the state directory; remove the file, or the blob, once its cause is known.',
  },
  LS_STATE_REPARTITION_UNREAD: {
    cause: 'environment',
    retryable: false,
    summary: 'The features topic was to get another number of partitions while records are unread, or sent in part: they would be lost with it.',
    remedy: 'Set transport.featuresPartitionCount back to what the topic has, let `labelstream run --until-idle` process what there is, and repeat `labelstream topics repartition` with the new number.',
  },
  LS_STATE_REPARTITION_PENDING: {
    cause: 'environment',
    retryable: false,
    summary: 'A repartition of the features topic is under way, or was cut short: its state is on the way between two topics. What was said to the clusters meanwhile (forget, a name) may be lost with the former one.',
    remedy: 'Bring it to its end with `labelstream topics repartition -c FILE`, which may be repeated as often as it is cut short; then repeat the command that was refused.',
  },
  LS_STATE_REPARTITION_LOST: {
    cause: 'environment',
    retryable: false,
    summary: 'A repartition of the features topic was begun, and what it noted, or a snapshot that it goes on from, is gone or damaged.',
    remedy: 'Restore the state directory or the container from a copy that holds what the message names, and repeat `labelstream topics repartition`.',
  },
  LS_STATE_ARTEFACT_MISSING: {
    cause: 'environment',
    retryable: false,
    summary: 'The state store does not hold a fitted projection that the log names by its SHA-256: the partition cannot go on without it.',
    remedy: 'Copy it (`projections/artefact-SHA256` below the state directory or the prefix) from the store that it was fitted into, or from a backup.',
  },
  LS_STATE_ARTEFACT_CORRUPT: {
    cause: 'environment',
    retryable: false,
    summary: 'The state store holds a fitted projection whose bytes are not those of its name.',
    remedy: 'Remove the damaged file or blob that the message names, and copy it from another store or a backup. Fitted anew to the same vectors it has the same name.',
  },
  LS_STATE_CONTAINER_UNREACHABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'The blob container does not answer, or answers that it cannot serve now. A restore waits for it; a snapshot is tried again later.',
    remedy: 'Check the address under state, the network and the state of the storage account.',
  },
  LS_STATE_CONTAINER_MISSING: {
    cause: 'configuration',
    retryable: false,
    summary: 'The storage account has no such container. Containers are never made by this program.',
    remedy: 'Make the container, or correct its name under state.',
  },
  LS_STATE_CONTAINER_REFUSED: {
    cause: 'configuration',
    retryable: false,
    summary: 'The blob container refuses what is asked of it, and would again.',
    remedy: 'See the reason in the message. The container has to take block blobs, and must not be under a policy that keeps blobs from being removed.',
  },
  LS_STATE_CREDENTIALS: {
    cause: 'configuration',
    retryable: false,
    summary: 'The credentials for the blob container are malformed, wrong, expired or without a right, or none were found; or the file that is to hold them cannot be read, or is empty.',
    remedy:
      'Correct connectionString or sasToken under state, the file that connectionStringFile or sasTokenFile names, or the managed identity or AZURE_ variables of the process. Needed are the rights to read, add, create, write, delete and list (the role Storage Blob Data Contributor).',
  },
} as const satisfies ErrorArea;

export const stateError = errorFactory(stateErrors);
