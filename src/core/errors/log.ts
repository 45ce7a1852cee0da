import { errorFactory, type ErrorArea } from './error.ts';

export const logErrors = {
  LS_LOG_MISSING: {
    cause: 'environment',
    retryable: false,
    summary: 'There is no log in the data directory, and the command makes none.',
    remedy:
      'Check `dataDirectory` in the configuration, in LABELSTREAM_DATA_DIRECTORY and in --set: a relative one starts from the folder of the configuration file. ' +
      'A log is made by the first `publish`, `run` or `topics create`.',
  },
  LS_LOG_OWNED: {
    cause: 'environment',
    retryable: false,
    summary: 'Another process owns the log directory and keeps it.',
    remedy: 'Stop the other `run` (the message names its process id where it is known), or use another log directory.',
  },
  LS_LOG_LOCK_FAILED: {
    cause: 'environment',
    retryable: false,
    summary: 'The lock that makes one process the owner of a log directory could not be tried.',
    remedy: 'Make sure that the directory is writable and on a file system that supports file locks; owner.lock in it must stay empty.',
  },
  LS_LOG_OWNER_UNREACHABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'Another process owns the log directory but does not answer at its local socket.',
    remedy: 'Run both as the same user, on the same host and with the same TMPDIR; if the owner hangs, stop it.',
  },
  LS_LOG_OWNER_LOST: {
    cause: 'environment',
    retryable: true,
    summary: 'The connection to the process that owns the log directory ended before the call was answered.',
    remedy: 'Call again. A commit that was already sent may or may not be durable: look at what was committed, or repeat it where consumers drop repeats.',
  },
  LS_LOG_SOCKET_FAILED: {
    cause: 'environment',
    retryable: false,
    summary: 'The owner of the log directory could not listen at its local socket.',
    remedy: 'Make sure that the directory (for a long path, the temporary directory) is writable, on a file system that supports sockets, and not owned by another user.',
  },
  LS_LOG_PROTOCOL_VERSION: {
    cause: 'configuration',
    retryable: false,
    summary: 'The owner of the log directory speaks another version of the local protocol.',
    remedy: 'Use the same version of labelstream for every process on one log directory.',
  },
  LS_LOG_PROTOCOL_BROKEN: {
    cause: 'defect',
    retryable: false,
    summary: 'What arrived at the local socket is not a frame of the protocol; that connection was closed.',
    remedy: 'Make sure that nothing else uses the socket of the log directory; otherwise report it.',
  },
  LS_LOG_REQUEST_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'A call does not fit into one frame of the local socket.',
    remedy: 'Commit fewer or smaller records in one transaction.',
  },
  LS_LOG_REQUEST_FAILED: {
    cause: 'environment',
    retryable: false,
    summary: 'The owner of the log directory failed in a way that has no code of its own.',
    remedy: 'Read the message, and the log of the process that owns the directory.',
  },
  LS_LOG_CLOSED: {
    cause: 'defect',
    retryable: false,
    summary: 'A call was made on a log that is closed.',
    remedy: 'Report it: nothing may use the log after closing it.',
  },
  LS_LOG_CORRUPT: {
    cause: 'environment',
    retryable: false,
    summary: 'A file of the log is damaged, shorter than what was committed to it, or gone; the message names the file and the position.',
    remedy:
      'Check the disk and restore the log directory from a copy; nothing after the named position can be read. ' +
      'Leave the state directory as it is: the next `run` removes the snapshots of what the copy does not have, so run it on that state directory first.',
  },
  LS_LOG_FORMAT: {
    cause: 'configuration',
    retryable: false,
    summary: 'A file of the log has a format that this version does not know.',
    remedy: 'Use the version of labelstream that wrote the log directory, or a newer one.',
  },
  LS_LOG_UNREADABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'The disk refused to open or read a file of the log.',
    remedy: 'Make sure that the log directory is readable and writable and the disk sound; the message names the file and the reason.',
  },
  LS_LOG_FAILED: {
    cause: 'environment',
    retryable: false,
    summary: 'The disk refused a write or a synchronisation; the log takes no more records until it is opened again, reading goes on.',
    remedy: 'Free space or repair the disk, then restart. A transaction whose message says that its outcome is unknown may be found committed.',
  },
  LS_LOG_CHECKPOINT_INVALID: {
    cause: 'environment',
    retryable: false,
    summary: 'The metadata of a stored checkpoint was not written by this transport.',
    remedy: 'Use the version of labelstream that wrote the log directory, or remove the checkpoint of the group.',
  },
} as const satisfies ErrorArea;

export const logError = errorFactory(logErrors);
