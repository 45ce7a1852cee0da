import { errorFactory, type ErrorArea } from './error.ts';

export const serverErrors = {
  LS_SERVER_LISTEN: {
    cause: 'configuration',
    retryable: false,
    summary: 'The address of the HTTP server cannot be used.',
    remedy: 'Choose another server.port (0 takes a free one) or server.host, or set server.enabled to false.',
  },
  LS_SERVER_PLUGIN: {
    cause: 'configuration',
    retryable: false,
    summary: 'What a plugin adds to the HTTP server cannot be added, or failed on a request.',
    remedy: 'Correct the plugin, or take it out of `plugins`; the message names it, and the log has the error.',
  },
  LS_SERVER_NOT_READY: {
    cause: 'environment',
    retryable: true,
    summary: 'A request needs models, which are still being loaded.',
    remedy: 'None: the request is repeated. `/health/ready` tells when it can be answered.',
  },
} as const satisfies ErrorArea;

export const serverError = errorFactory(serverErrors);
