/** The settings of the HTTP server; a part of settings.ts. */
import { z } from 'zod';
import { apiScopes } from '../core/api-scopes.ts';

const positiveInteger = z.number().int().positive();
const name = z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'a name is 1 to 100 of A-Z a-z 0-9 . _ -');
const originPattern = /^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$/;

const apiKey = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits').describe('SHA-256 of the key, as `labelstream keys create` prints it. The key itself stands nowhere.'),
  scopes: z.array(z.enum(apiScopes)).min(1).describe('What the key is for: `predict` asks models, `ingest` publishes events, `read` sees labels, items and clusters, `admin` changes what is processed, and how.'),
  requestsPerMinuteMax: positiveInteger.optional().describe('Requests that are answered in a minute; more are refused (429). Without it: any number.'),
});

const taskName = z.string().min(1);

/** Of the interfaces for feature extraction. */
const defaults = z.strictObject({
  task: taskName.optional().describe('Of a request that names none.'),
  models: z.record(taskName, z.string().min(1)).default({}).describe('Models by task: of a request that names no model. Where a task has only one model, it is that.'),
});

const jobs = z.strictObject({
  keptMsMax: positiveInteger.max(86_400_000).default(600_000).describe('How long the result of a job is kept, from its end.'),
  countMax: positiveInteger.max(1_000_000).default(1_000).describe('Results that are kept; of more, the oldest go. So many jobs may wait or run at once; more are refused.'),
  bytesMax: positiveInteger
    .max(64 * 1024 * 1024 * 1024)
    .default(256 * 1024 * 1024)
    .describe('What results that are kept take in memory, about: of more, the oldest go, but never the last. What jobs that wait or run were asked may take as much; more are refused.'),
});

const clusters = z.strictObject({
  followerIdleMsMax: positiveInteger
    .max(86_400_000)
    .default(600_000)
    .describe('How long, without a question about its clusters, this instance goes on following a partition of features that another one has. Following it takes as much memory as having it.'),
});

const labels = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether it is kept what inputs and items are labelled now: `/labels?input=` and `/items/{id}/labels`.'),
  retentionMs: positiveInteger.max(315_360_000_000).default(2_592_000_000).describe('How long what is known of an item is kept after its last label, by the append times of the log.'),
  itemsMax: positiveInteger.max(1_000_000_000).default(2_000_000).describe('Items of which it is kept; of more, those go whose last label is the oldest. One takes about a kilobyte on the disk.'),
});

const labelsPattern = /^(?:https:\/\/\S+|(?![A-Za-z][A-Za-z0-9+.-]+:\/\/)[^]+)$/;

const skill = z.strictObject({
  collection: z.string().min(1).optional().describe('The collection of images that is asked. Without it: the only one.'),
  labels: z
    .string()
    .regex(labelsPattern, 'a path, or an https: URL')
    .optional()
    .describe('A JSON file of labels by cluster: its path, relative to the configuration file, or its https: URL (a signed one, too). Without it, and for clusters that it does not name: the names of the clusters.'),
  labelsRefreshMs: positiveInteger.max(86_400_000).default(60_000).describe('How old what was read of it may be when a request needs it; it is then read anew, and answers go on with what is there meanwhile.'),
});

export const server = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether HTTP is served.'),
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on. Away from loopback addresses everything but `/`, `/docs`, `/errors`, `/health`, `/metrics`, `/v2` and `/v2/health` needs a key.'),
  port: z.number().int().min(0).max(65_535).default(9464).describe('Port to listen on; 0 takes a free one.'),
  keys: z
    .record(name, apiKey)
    .default({})
    .describe('API keys by name. Without any, everything is open to this machine alone: on a loopback address, to requests that name one.'),
  tls: z
    .strictObject({
      certificateFile: z.string().min(1).describe('The certificate and those above it, PEM. Relative to the configuration file.'),
      privateKeyFile: z.string().min(1).describe('Its private key, PEM.'),
    })
    .optional()
    .describe('With it: https: alone.'),
  corsOrigins: z
    .array(z.string().regex(originPattern, 'an origin, such as https://app.example.com'))
    .default([])
    .describe('Origins of web pages that may send requests from a browser (CORS). None: only what is served here.'),
  defaults: defaults.prefault({}).describe('What requests for feature extraction need not say.'),
  jobs: jobs.prefault({}).describe('Feature extraction that is asked for now, and fetched later.'),
  clusters: clusters.prefault({}).describe('Answers about clusters.'),
  labels: labels.prefault({}).describe('What inputs and items are labelled now, in `views` below `dataDirectory`.'),
  skill: skill.prefault({}).describe('The custom skill, `POST /api/extraction`.'),
  bodyBytesMax: positiveInteger
    .max(1024 * 1024 * 1024)
    .default(32 * 1024 * 1024)
    .describe('Largest body of a request, as sent and decompressed.'),
  requestMsMax: positiveInteger.max(3_600_000).default(60_000).describe('Longest time until a request is here in full; its connection is then ended.'),
  answerMsMax: positiveInteger.max(3_600_000).default(120_000).describe('Longest time of an answer, from when the request is here; where the body is a form, from its beginning.'),
  streamsMax: positiveInteger.max(100_000).default(100).describe('Streams of labels (`/labels/stream`) at the same time; more are refused.'),
  streamMsMax: positiveInteger.max(86_400_000).default(3_600_000).describe('Longest time of a stream; its client then goes on with another, without missing anything.'),
  connectionsMax: positiveInteger.max(1_000_000).default(10_000).describe('Connections at the same time; more are refused.'),
});
