import { errorFactory, type ErrorArea } from './error.ts';

/** Why the content of an image is not looked at by a model: mostly the doing of whoever published it. */
export const imageErrors = {
  LS_IMAGE_EMPTY: {
    cause: 'input',
    retryable: false,
    summary: 'An image has no bytes.',
    remedy: 'Publish the event with its content; the producer probably read a file that was still being written.',
  },
  LS_IMAGE_FORMAT: {
    cause: 'input',
    retryable: false,
    summary: 'The content is no JPEG, PNG or WebP image; the message says what it is, where that can be told.',
    remedy: 'Convert the image to JPEG, PNG or WebP before it is published.',
  },
  LS_IMAGE_CONTENT_TYPE: {
    cause: 'input',
    retryable: false,
    summary: 'The content is another format than its content type says.',
    remedy: 'Correct the content type at the producer, or publish application/octet-stream where it is not known.',
  },
  LS_IMAGE_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'An image has more pixels than are decoded, or is so narrow that it would have after it was resized.',
    remedy: 'Publish it smaller, or raise inference.imagePixelsMax together with the memory of the program.',
  },
  LS_IMAGE_ANIMATED: {
    cause: 'input',
    retryable: false,
    summary: 'An image has several frames; which of them is meant cannot be known.',
    remedy: 'Publish the frame that is meant as an image of its own.',
  },
  LS_IMAGE_CORRUPT: {
    cause: 'input',
    retryable: false,
    summary: 'An image is cut off or damaged, or breaks the rules of its format.',
    remedy: 'Publish the whole file again; open it in an image viewer to see whether it is sound.',
  },
  LS_IMAGE_POLYGLOT: {
    cause: 'input',
    retryable: false,
    summary: 'An image carries a second file in or behind it: an archive, a document, a program, or data that is no part of it.',
    remedy: 'Write the image anew with an image program, which leaves everything else out.',
  },
  LS_IMAGE_METADATA: {
    cause: 'input',
    retryable: false,
    summary: 'The metadata of an image (text, colour profile, EXIF, XMP) are larger than is read, as stored or when decompressed.',
    remedy: 'Remove the metadata before the image is published.',
  },
  LS_IMAGE_DECODE_TIME: {
    cause: 'input',
    retryable: false,
    summary: 'Decoding an image took longer than any image of the permitted size takes, twice, the second time alone in its worker.',
    remedy: 'Write the image anew with an image program; if it is a usual one, look at the load of the machine, and redrive the dead letter.',
  },
  LS_IMAGE_DECODER: {
    cause: 'input',
    retryable: false,
    summary: 'The decoder failed on an image with a message that it is not known to have for damaged images; with others it works.',
    remedy: 'Read the message. Write the image anew with an image program, or report the failure with the image.',
  },
  LS_IMAGE_RESOURCES: {
    cause: 'environment',
    retryable: true,
    summary: 'There was not enough memory, threads or disk to decode an image.',
    remedy: 'Give the program more, or lower inference.imagePixelsMax or inference.workerCount. Meanwhile the call is repeated; if it lasts, the partition pauses.',
  },
} as const satisfies ErrorArea;

export const imageError = errorFactory(imageErrors);
