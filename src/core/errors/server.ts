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
    summary: 'A request needs models or clusters, which are not there yet: the program is starting.',
    remedy: 'Repeat the request, after as many seconds as the header `retry-after` says; `/health/ready` tells when it can be answered.',
  },
  LS_SERVER_REQUEST: {
    cause: 'input',
    retryable: false,
    summary: 'A request is not what the operation takes.',
    remedy: 'Correct the request; the message names what is wrong, and `/docs` shows what is taken.',
  },
  LS_SERVER_TLS: {
    cause: 'configuration',
    retryable: false,
    summary: 'The certificate of the HTTP server, or its private key, cannot be used.',
    remedy: 'Give PEM files that belong together in server.tls.certificateFile and server.tls.privateKeyFile.',
  },
  LS_SERVER_NOT_FOUND: {
    cause: 'input',
    retryable: false,
    summary: 'There is nothing at the path of a request.',
    remedy: 'See `/docs` for the paths; what is in one, such as the name of a model or the id of an item (whose slash is written %2F), may be unknown. What needs a log (events, labels, clusters, the custom skill, what changes them) is answered by `run`, and not by `serve`.',
  },
  LS_SERVER_NO_DEFAULT: {
    cause: 'input',
    retryable: false,
    summary: 'A request names no model, no task or no collection, and none is the default.',
    remedy: 'Name one in the path, or set server.defaults.models.TASK or server.defaults.task; of the custom skill, server.skill.collection.',
  },
  LS_SERVER_MODEL_CHANGED: {
    cause: 'environment',
    retryable: false,
    summary: 'The model that is served for a collection is another one than its items, or whoever asks, count on.',
    remedy: 'Vectors of two models cannot be compared. Serve the model, in the version, that the message names, or move the collection to the new one; leave `modelVersion` out where any will do.',
  },
  LS_SERVER_LABELS: {
    cause: 'environment',
    retryable: true,
    summary: 'The file with the labels of clusters, server.skill.labels, cannot be read or understood.',
    remedy: 'Give the path or the https: URL of a JSON file: an object or a list with a label, or a list of labels, for each cluster. The log says more; a signed URL may have expired. It is read again by the next request that needs it.',
  },
  LS_SERVER_JOB_UNKNOWN: {
    cause: 'input',
    retryable: false,
    summary: 'There is no such job, or its result is no longer kept.',
    remedy: 'Fetch results within server.jobs.keptMsMax of their end, before server.jobs.countMax others have ended, or their results take server.jobs.bytesMax; or ask for the job again.',
  },
  LS_SERVER_JOBS_FULL: {
    cause: 'environment',
    retryable: true,
    summary: 'There are as many jobs that have not ended as server.jobs.countMax, or they were asked as much as server.jobs.bytesMax.',
    remedy: 'Wait until some have ended, or raise server.jobs.countMax or server.jobs.bytesMax.',
  },
  LS_SERVER_STREAMS_FULL: {
    cause: 'environment',
    retryable: true,
    summary: 'There are as many streams of labels as server.streamsMax.',
    remedy: 'Ask another instance, end streams that nobody needs (the metric labelstream_label_streams counts them), or raise server.streamsMax.',
  },
  LS_SERVER_STREAM_GONE: {
    cause: 'input',
    retryable: false,
    summary: 'A stream of labels cannot go on behind the last event: what came after it is no longer kept, or the topic is another one.',
    remedy: 'Begin anew with `from=earliest` and without `last-event-id`, which tells again all that is kept; then labels may be missing that retention has removed. Keep labels for longer than clients stay away.',
  },
  LS_SERVER_METHOD: {
    cause: 'input',
    retryable: false,
    summary: 'The path of a request takes other methods.',
    remedy: 'Use one of the methods that the header `allow` of the answer names.',
  },
  LS_SERVER_MEDIA_TYPE: {
    cause: 'input',
    retryable: false,
    summary: 'The body of a request is of a type, or compressed in a way, that the operation does not take.',
    remedy: 'Say what the body is in the header `content-type`, such as application/json; compress it with gzip or deflate, or not at all.',
  },
  LS_SERVER_BODY_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'The body of a request is larger than server.bodyBytesMax, as sent or decompressed.',
    remedy: 'Send less at a time, or a reference instead of the content, or raise server.bodyBytesMax.',
  },
  LS_SERVER_EVENT_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'An event is larger than a record of its topic may be, its content larger than media.bytesMax, or the events of a request together larger than is appended at once.',
    remedy: 'Send a reference instead of the content, or fewer events at a time; or raise transport.recordBytesMax, and media.bytesMax. None of the request was appended.',
  },
  LS_SERVER_KEY: {
    cause: 'input',
    retryable: false,
    summary: 'A request has no API key, or one that is not known.',
    remedy: 'Send a key in the header `authorization: Bearer KEY`, or in one of those that the emulated interfaces use. `labelstream keys create` makes one for server.keys; without keys only requests from this machine are answered.',
  },
  LS_SERVER_SCOPE: {
    cause: 'input',
    retryable: false,
    summary: 'The API key of a request is not for this operation.',
    remedy: 'Use a key whose scopes in server.keys include the one that the message names.',
  },
  LS_SERVER_RATE: {
    cause: 'input',
    retryable: true,
    summary: 'There are more requests with an API key than its requestsPerMinuteMax.',
    remedy: 'Wait for as many seconds as the header `retry-after` says, or raise requestsPerMinuteMax of the key.',
  },
  LS_SERVER_HOST: {
    cause: 'input',
    retryable: false,
    summary: 'A request without an API key names a host that is not this machine, or comes from a web page of one.',
    remedy: 'Use 127.0.0.1 or localhost in the address. A web page that sends requests to this machine under a name of its own is refused: give it an API key.',
  },
  LS_SERVER_TIME: {
    cause: 'environment',
    retryable: true,
    summary: 'An answer took longer than server.answerMsMax.',
    remedy: 'Repeat the request when there is less to do, ask for less at a time, or raise server.answerMsMax.',
  },
  LS_SERVER_DRAINING: {
    cause: 'environment',
    retryable: true,
    summary: 'The server is stopping and takes no new requests.',
    remedy: 'Repeat the request at another instance, or later.',
  },
  LS_SERVER_INTERNAL: {
    cause: 'defect',
    retryable: false,
    summary: 'A request failed by what is wrong inside, which the log tells.',
    remedy: 'Look for the id of the request in the log, and report what it says as a defect.',
  },
} as const satisfies ErrorArea;

export const serverError = errorFactory(serverErrors);
