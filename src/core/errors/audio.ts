import { errorFactory, type ErrorArea } from './error.ts';

/** Why a sound is not heard by a model: mostly the doing of whoever published it. */
export const audioErrors = {
  LS_AUDIO_EMPTY: {
    cause: 'input',
    retryable: false,
    summary: 'A sound has no bytes, or no samples.',
    remedy: 'Correct the event at its producer.',
  },
  LS_AUDIO_FORMAT: {
    cause: 'input',
    retryable: false,
    summary: 'The content is no WAV, MP3, FLAC or Ogg file, or of a kind of these that is not read; the message says what it is, where that can be told.',
    remedy: 'Convert the sound before it is published: WAV of integers or floating-point numbers, MP3, FLAC, or Ogg with Opus, Vorbis or FLAC.',
  },
  LS_AUDIO_CONTENT_TYPE: {
    cause: 'input',
    retryable: false,
    summary: 'The content is another format than its content type says.',
    remedy: 'Correct the content type at the producer, or publish application/octet-stream where it is not known.',
  },
  LS_AUDIO_CORRUPT: {
    cause: 'input',
    retryable: false,
    summary: 'A sound is cut off or damaged, or contradicts itself.',
    remedy: 'Publish the whole file again; where its writer was stopped, write it anew with an audio program.',
  },
  LS_AUDIO_NOT_FINITE: {
    cause: 'input',
    retryable: false,
    summary: 'A sound of floating-point numbers holds one that is infinite or none.',
    remedy: 'Correct what computed the sound.',
  },
  LS_AUDIO_TOO_LONG: {
    cause: 'input',
    retryable: false,
    summary: 'A sound is longer than is allowed.',
    remedy: 'Cut it into parts at its producer.',
  },
  LS_AUDIO_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'All channels of a sound together have more samples than are decoded.',
    remedy: 'Publish it with fewer channels or a lower rate, or cut it into parts: it is mixed down to one channel of 16,000 samples a second in any case.',
  },
  LS_AUDIO_DECODER: {
    cause: 'input',
    retryable: false,
    summary: 'The decoder failed on a sound in another way than it is known to for damaged ones; with others it works.',
    remedy: 'Read the message. Write the sound anew with an audio program, or report the failure with the sound.',
  },
  LS_AUDIO_RESOURCES: {
    cause: 'environment',
    retryable: true,
    summary: 'There was not enough memory to decode a sound.',
    remedy: 'Give the program more, or lower inference.workerCount. Meanwhile the call is repeated; if it lasts, the partition pauses.',
  },
} as const satisfies ErrorArea;

export const audioError = errorFactory(audioErrors);
