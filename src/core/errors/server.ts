import { errorFactory, type ErrorArea } from './error.ts';

export const serverErrors = {
  LS_SERVER_LISTEN: {
    cause: 'configuration',
    retryable: false,
    summary: 'The address of the HTTP server cannot be used.',
    remedy: 'Choose another server.port (0 takes a free one) or server.host, or set server.enabled to false.',
  },
} as const satisfies ErrorArea;

export const serverError = errorFactory(serverErrors);
