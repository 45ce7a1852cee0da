import { errorFactory, type ErrorArea } from './error.ts';

export const mediaErrors = {
  LS_MEDIA_SCHEME: {
    cause: 'input',
    retryable: false,
    summary: 'The content of a media event is referred to by a kind of URI that this program does not fetch.',
    remedy: 'Publish an https: URI, that of a blob in Azure Blob Storage, a file: URI below one of media.directories, or the bytes themselves (docs/references.md).',
  },
  LS_MEDIA_REFERENCE: {
    cause: 'input',
    retryable: false,
    summary: 'The reference of a media event is malformed: its URI, its SHA-256 or its size.',
    remedy: 'Correct the producer: an absolute URI (a file: URI without host, query and encoded slashes), 64 lower-case hexadecimal digits, a size of at least 1.',
  },
  LS_MEDIA_NOT_ALLOWED: {
    cause: 'input',
    retryable: false,
    summary: 'A media event refers to a file outside of the directories from which content may be read; symbolic links are followed first.',
    remedy: 'Move the file below one of media.directories, or add its directory there if every producer may have its files read.',
  },
  LS_MEDIA_NOT_FOUND: {
    cause: 'input',
    retryable: false,
    summary: 'There is no file at the file: URI of a media event.',
    remedy: 'Write the file before its event is published. When it is there, redrive the dead letter.',
  },
  LS_MEDIA_NOT_A_FILE: {
    cause: 'input',
    retryable: false,
    summary: 'A media event refers to a directory, a pipe, a socket or a device.',
    remedy: 'Refer to a regular file.',
  },
  LS_MEDIA_DENIED: {
    cause: 'input',
    retryable: false,
    summary: 'The file of a media event may not be read by this process, though its directory may.',
    remedy: 'Give the user that runs labelstream the right to read the file, then redrive the dead letter.',
  },
  LS_MEDIA_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'The content of a media event is larger than media.bytesMax.',
    remedy: 'Raise media.bytesMax, or publish a smaller file.',
  },
  LS_MEDIA_MISMATCH: {
    cause: 'input',
    retryable: false,
    summary: 'A file is not the one that a media event refers to: its size or its SHA-256 is another, or it changed while it was read.',
    remedy: 'Never write to a file after its event; publish an event with the size and the SHA-256 of the file as it is now.',
  },
  LS_MEDIA_UNAVAILABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'One of media.directories is not there or may not be read, or the disk or network share below it failed.',
    remedy: 'Mount the directory again, or correct media.directories. Meanwhile the call is repeated; if it lasts, the partition pauses.',
  },
} as const satisfies ErrorArea;

export const mediaError = errorFactory(mediaErrors);
