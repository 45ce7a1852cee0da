import { errorFactory, type ErrorArea } from './error.ts';

export const viewErrors = {
  LS_VIEW_BUILDING: {
    cause: 'environment',
    retryable: true,
    summary: 'What items are labelled is not known yet: the view of it is being made from the log.',
    remedy: 'Repeat the request, after as many seconds as the header `retry-after` says. The message says how far the view is, and so does the metric labelstream_label_view_remaining_records.',
  },
  LS_VIEW_UNAVAILABLE: {
    cause: 'environment',
    retryable: true,
    summary: 'The file of the view of labels cannot be read or written. Nothing else stops; it is tried again.',
    remedy: 'Make room on the disk of dataDirectory, or repair its permissions; the message has the reason.',
  },
  LS_VIEW_DAMAGED: {
    cause: 'environment',
    retryable: true,
    summary: 'The file of the view of labels does not hold what was written. It is removed, and the view is made again from the log.',
    remedy: 'Check the disk of dataDirectory if it happens again.',
  },
} as const satisfies ErrorArea;

export const viewError = errorFactory(viewErrors);
