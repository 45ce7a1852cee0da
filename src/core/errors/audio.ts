import { errorFactory, type ErrorArea } from './error.ts';

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
    summary: 'A sound is in no format that is read.',
    remedy: 'Publish it as WAV: PCM of 16 bits, one channel, 16,000 samples a second.',
  },
  LS_AUDIO_CORRUPT: {
    cause: 'input',
    retryable: false,
    summary: 'A sound ends too early, or contradicts itself.',
    remedy: 'Correct the event at its producer.',
  },
  LS_AUDIO_TOO_LONG: {
    cause: 'input',
    retryable: false,
    summary: 'A sound is longer than is allowed.',
    remedy: 'Cut it into parts at its producer.',
  },
} as const satisfies ErrorArea;

export const audioError = errorFactory(audioErrors);
