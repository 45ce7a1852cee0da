/**
 * Every setting, declared once: this declaration is the parser, the defaults, what `validate` checks, the JSON Schema for editors
 * (docs/configuration.schema.json) and the reference page (docs/configuration.md). Units stand last in the names. Secrets are `writeOnly`, JSON
 * Schema's word for what is never shown: plain ones are warned of (secrets.ts).
 */
import { z } from 'zod';
import { shortTextLengthMax } from '../core/short-text.ts';
import { topics } from '../core/topics.ts';
import { containerAccess } from './container-settings.ts';
import { media } from './media-settings.ts';
import { schemaRegistry } from './registry-settings.ts';
import { server } from './server-settings.ts';

const positiveInteger = z.number().int().positive();
/** For what events carry as an Avro int. */
const positiveInt32 = positiveInteger.max(2 ** 31 - 1);
const name = z.string().regex(/^[a-z0-9._-]{1,100}$/, 'a name is 1 to 100 of a-z 0-9 . _ -');

const retentionLimit = z
  .number()
  .int()
  .min(-1)
  .refine((value) => value !== 0, 'a positive number, or -1 for no limit');
const retentionMs = retentionLimit.optional().describe('A segment goes when its last record is older; no record is kept for more than about twice that. -1: no limit, as without it.');
const retentionBytes = retentionLimit.optional().describe('The oldest segments of a partition go while those that stay hold at least so much. -1: no limit, as without it.');

const retention = z.strictObject({
  ms: retentionMs,
  bytes: retentionBytes,
  topics: z
    .partialRecord(z.enum(Object.values(topics)), z.strictObject({ ms: retentionMs, bytes: retentionBytes }))
    .default({})
    .describe('Other limits for single topics, by their names.'),
  checkIntervalMs: positiveInteger.default(300_000).describe('How often `run` looks for what is to go; it also looks whenever a segment is full.'),
});

const logTransport = z
  .strictObject({
    // Optional, too: only so does the union below recognise it where it is left out.
    kind: z.literal('log').optional().default('log').describe('The embedded durable log: no broker needed, one owning process per directory.'),
    partitionCount: positiveInteger.max(256).default(2).describe('Partitions of each topic, fixed when the topic is made.'),
    featuresPartitionCount: positiveInteger.max(256).optional().describe('Partitions of the topic features, as many as of the others without it. It may be changed: `labelstream topics repartition`.'),
    segmentBytes: positiveInteger.min(4096).default(64 * 1024 * 1024).describe('Size at which a partition starts a new segment file.'),
    journalBytes: positiveInteger.min(4096).default(8 * 1024 * 1024).describe('Size at which the commit journal starts a new file.'),
    recordBytesMax: positiveInteger.min(1024).max(256 * 1024 * 1024).default(8 * 1024 * 1024).describe('Largest input record that is accepted: key, value and headers, with 64 bytes for the record and for each header.'),
    retention: retention
      .prefault({})
      .describe('What is removed, by whole segments, as with Kafka, processed or not. Without limits nothing is. Of `features` nothing is removed that the oldest of the snapshots kept does not hold.'),
  })
  .describe('The embedded log.');

const secret = z.strictObject({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('How the password is proven.'),
  username: z.string().min(1).describe('The user.'),
  password: z.string().min(1).optional().meta({ writeOnly: true }).describe('The password. Better in the environment or in a file.'),
  passwordFile: z.string().min(1).optional().describe('A file that holds the password. Relative to the configuration file.'),
});

const tls = z.strictObject({
  enabled: z.boolean().default(false).describe('Whether connections are encrypted.'),
  caFile: z.string().min(1).optional().describe("The certificate authority of the brokers, PEM; by default the system's. Relative to the configuration file."),
  certificateFile: z.string().min(1).optional().describe('The certificate of this client, PEM, for mutual TLS.'),
  keyFile: z.string().min(1).optional().describe('Its key, PEM.'),
});

const brokerPattern = /^[^\s,:/@[\]]+:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/;

/** What is expected instead. The value is not repeated: a URL may hold a password. */
function brokerMistake(broker: unknown): string {
  const text = String(broker);
  if (text.includes(',')) return 'several brokers in one entry: give each an entry of its own, as host:port';
  if (/[/@]/.test(text)) return 'host:port, without anything before the host or behind the port';
  return 'host:port, such as kafka-1:9092: a name or an IPv4 address, and a port from 1 to 65535';
}

const kafkaTransport = z
  .strictObject({
    kind: z.literal('kafka').describe('Apache Kafka, or what speaks its protocol.'),
    brokers: z.array(z.string().regex(brokerPattern, { error: ({ input }) => brokerMistake(input) })).min(1).describe('Where to ask first: host:port.'),
    namePrefix: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{0,100}$/, 'up to 100 of a-z A-Z 0-9 . _ -')
      .default('')
      .describe('Put before the names of topics, groups and transactional ids on the brokers, such as `shop.`: for clusters that others use, too.'),
    clientId: z.string().min(1).default('labelstream').describe('How the brokers know this client, for quotas and logs.'),
    tls: tls.prefault({}).describe('Encryption.'),
    sasl: secret.optional().describe('Who this client is.'),
    producer: z.enum(['kafkajs', 'platformatic']).default('kafkajs').describe('The client that produces. platformatic is about three times as fast.'),
    compression: z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('none').describe('Of what is produced. kafkajs knows none and gzip.'),
    partitionCount: positiveInteger.max(10_000).default(4).describe('Partitions of each topic; what exists with another count is refused.'),
    featuresPartitionCount: positiveInteger.max(10_000).optional().describe('Partitions of the topic features, as many as of the others without it. It may be changed: `labelstream topics repartition`.'),
    replicationFactor: positiveInteger.max(100).optional().describe('Replicas of the topics that `topics create` makes; by default what the broker says.'),
    sessionTimeoutMs: positiveInteger.min(1_000).default(45_000).describe('A member that was not heard of for so long loses its partitions.'),
    rebalanceTimeoutMs: positiveInteger.min(1_000).default(60_000).describe('How long a rebalance waits for members to let go; at least the session timeout.'),
    heartbeatIntervalMs: positiveInteger.default(3_000).describe('How often a member is heard of; at most a third of the session timeout.'),
    transactionTimeoutMs: positiveInteger.min(1_000).default(60_000).describe('The broker aborts a transaction that is open for longer; above the time of a request.'),
    requestTimeoutMs: positiveInteger.min(100).default(30_000).describe('A request without an answer has failed after so long; below the session timeout.'),
    recordBytesMax: positiveInteger.min(1024).max(256 * 1024 * 1024).default(1_000_000).describe('Largest input record that is accepted: key, value and headers, with 64 bytes for the record and for each header.'),
  })
  .describe('Apache Kafka.');

const directoryState = z
  .strictObject({
    // Optional, too: only so does the union below recognise it where it is left out.
    kind: z.literal('directory').optional().default('directory').describe('In `state`, below `dataDirectory`. It stays on its host: instances on several hosts need another kind.'),
  })
  .describe('In a directory.');

const sharedDirectoryState = z
  .strictObject({
    kind: z.literal('shared-directory').describe('The same, where all instances have it, as on a volume that they share: whichever has a partition next reads its snapshots.'),
  })
  .describe('In a directory that all instances have.');

const blobState = z
  .strictObject({
    kind: z.literal('blob').describe('In a container of Azure Blob Storage: another instance restores from it, on an empty disk. The container has to be there.'),
    ...containerAccess,
    prefix: z.string().regex(/^([\w.-]+(\/[\w.-]+)*\/?)?$/, 'names between slashes, of a-z A-Z 0-9 . _ -').default('').describe('What the names of all blobs begin with: one for each group that shares the container.'),
  })
  .describe('In a blob container.');

const executionProvider = z.union([
  z.string().min(1),
  z.object({ name: z.string().min(1) }).catchall(z.union([z.string(), z.number(), z.boolean()])),
]);

const model = z.strictObject({
  directory: z.string().min(1).describe('The directory of the model, with its manifest.json. Relative to the configuration file.'),
  revision: positiveInteger.default(1).describe('Must rise when the model version does: consumers keep the highest revision of a result.'),
  preload: z.boolean().default(true).describe('Whether it is loaded at the start, or when it is asked for first.'),
  consumer: z.string().min(1).optional().describe('How its items are put together and handed to workers, as inference.consumer; by default that.'),
  executionProviders: z
    .array(executionProvider)
    .min(1)
    .optional()
    .describe('What computes it, by the names of onnxruntime (`cpu`, `cuda`, `webgpu`), the preferred first; or with options, as `{ name: cuda, deviceId: 1 }`. Without it: `[cpu]`.'),
});

const step = z.strictObject({
  name: name.describe('The name of the step, unique within its route.'),
  task: z.string().min(1).describe('What is done: text-features, text-classification, image-features, image-classification, image-captioning, conditional-image-captioning, zero-shot-image-classification, object-detection, automated-speech-recognition, record-prediction.'),
  model: z.string().min(1).describe('The name of one of `models`.'),
  collection: z
    .string()
    .optional()
    .describe('For features: the collection they go to. A template: ${collection}, ${source}, ${language}, ${attributes.NAME}, ${labels.STEP|default}.'),
  text: z
    .string()
    .min(1)
    .max(shortTextLengthMax)
    .optional()
    .describe('For conditional-image-captioning: what the caption begins with. A template: ${source}, ${attributes.NAME|default}.'),
  classes: z
    .array(z.string().min(1).max(shortTextLengthMax))
    .min(1)
    .max(1000)
    .optional()
    .describe('For zero-shot-image-classification, and for object-detection by a model without classes of its own: what is to be told apart, or found.'),
  config: z.record(z.string(), z.unknown()).optional().describe('How the task is done: docs/tasks.md tells what each takes. What is not said here is the manifest of the model to say.'),
});

const route = z.strictObject({
  name: name.describe('The name of the route; results are named route/step.'),
  from: z.enum(['text', 'record', 'media']).describe('The kind of events it takes.'),
  where: z
    .strictObject({
      source: z.string().optional().describe('Only events of this source.'),
      language: z.string().optional().describe('Only texts in this language (as the event says).'),
      attributes: z.record(z.string(), z.string()).optional().describe('Only events with these attributes.'),
    })
    .prefault({})
    .describe('Conditions, all of which must hold.'),
  steps: z.array(step).min(1).describe('The steps of the route: each produces one result per event.'),
});

const window = z.strictObject({
  itemsMax: positiveInt32.optional().describe('At most so many items per collection; the oldest leave.'),
  ageMsMax: positiveInteger.optional().describe('Items leave at this age.'),
  ageBy: z.enum(['append', 'occurred']).default('append').describe('Age counts from the append time of the first input, or from occurredAt where that is earlier.'),
});

const collection = z.strictObject({
  name: z.string().min(1).describe('A name, or the very template that steps use: its collections are one family.'),
  version: positiveInt32.default(1).describe('Raise it with every change of this definition: the log keeps the highest.'),
  names: z.array(name).min(1).optional().describe('The only names that the template may give; others become dead letters.'),
  metric: z.enum(['cosine', 'euclidean']).default('cosine').describe('The distance between two vectors.'),
  eps: z.number().positive().describe('Two items are neighbours at this distance or below.'),
  minPoints: positiveInt32.describe('An item with so many neighbours, itself counted, is the core of a cluster.'),
  projection: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'a SHA-256, as `labelstream collections fit` tells it')
    .optional()
    .describe('The fitted projection that vectors go through before they are compared, by its SHA-256: `labelstream collections fit` makes one. It needs an eps of its own.'),
  window: window.prefault({}).describe('Which items stay.'),
  collectionsMax: positiveInt32.default(1000).describe('At most so many collections in the family.'),
  relabelOnMerge: z.boolean().default(false).describe('Tell every item of a retired cluster its new one, for consumers that read labels alone.'),
  allowUnreproducible: z.boolean().default(false).describe('Take features of a model that says `reproducible: false`: a repeated item may then move.'),
});

export const settings = z.strictObject({
  dataDirectory: z.string().min(1).default('.labelstream').describe('Where the embedded log and, unless `state` says otherwise, the snapshots live. Relative to the configuration file.'),
  delivery: z
    .enum(['at-least-once', 'exactly-once'])
    .default('at-least-once')
    .describe('Whether outputs and input positions commit together. At least once repeats some outputs after a crash, with the same ids.'),
  group: name.default('labelstream').describe('Consumer group; each stage appends its name.'),
  startAt: z.enum(['earliest', 'latest']).default('earliest').describe('Where a group without a position begins.'),
  transport: z.discriminatedUnion('kind', [logTransport, kafkaTransport]).prefault({}).describe('What carries the events.'),
  state: z.discriminatedUnion('kind', [directoryState, sharedDirectoryState, blobState]).prefault({}).describe('Where the snapshots of the clusters live.'),
  schemaDirectories: z
    .array(z.string().min(1))
    .default([])
    .describe("Directories with writers' Avro schemas beside the current ones: older or newer versions of the events."),
  registry: schemaRegistry.optional().describe("A schema registry that speaks Confluent's API, for values in Confluent's format."),
  plugins: z
    .array(z.string().min(1))
    .default([])
    .describe('ES modules that add tasks, models, ways to queue, and HTTP: a path that begins with ./, ../ or /, relative to the configuration file, or a package that is installed there. They run with all rights of the program.'),
  models: z.record(name, model).default({}).describe('The models, by the names that steps use.'),
  routes: z.array(route).default([]).describe('Which events go through which steps.'),
  collections: z.array(collection).default([]).describe('The clusterings.'),
  media: media.prefault({}).describe('What media events hold or refer to.'),
  extract: z
    .strictObject({
      inFlightRecordsMax: positiveInteger.default(384).describe('Records in work at once; every partition of every input topic has an equal share.'),
      inFlightBytesMax: positiveInteger.default(96 * 1024 * 1024).describe('Bytes of records in work at once, and as many again of content that they refer to; one is always admitted.'),
      holdMsMax: positiveInteger.default(2000).describe('A record that holds finished successors back longer goes to the topic `parked`.'),
      retryAttemptsMax: positiveInteger.default(5).describe('Attempts at a step whose failure may pass.'),
      previewLengthMax: z.number().int().min(0).max(1000).default(120).describe('Characters of a text, or of the attribute `path` of a file, kept beside its vector, for people; 0 keeps none.'),
      unrouted: z.enum(['dead-letter', 'drop']).default('dead-letter').describe('What becomes of an event that no route takes.'),
    })
    .prefault({})
    .describe('The stage that runs the tasks.'),
  cluster: z
    .strictObject({
      snapshotRecords: positiveInteger.default(2000).describe('Records between two snapshots of a partition.'),
      snapshotIntervalMs: positiveInteger.default(60_000).describe('Longest time between two snapshots while records arrive.'),
      collectionBytesMax: positiveInteger.optional().describe('Memory that one collection may take: its vectors, what is near what, and what is kept of each item. At that it is frozen: what would enter it becomes a dead letter, until it is 20 % below or this is raised. Without it: as much as there is.'),
      tombstoneRetentionMs: positiveInteger.optional().describe('How long forgotten and deleted items are remembered; as long as any input is kept. Without it: for ever.'),
    })
    .prefault({})
    .describe('The stage that clusters.'),
  output: z
    .strictObject({
      recordsMax: positiveInteger.default(500).describe('Outputs per transaction.'),
      bytesMax: positiveInteger.default(4 * 1024 * 1024).describe('Bytes per transaction; one record is always admitted.'),
      cloudEvents: z.boolean().default(false).describe('Give labels, features and cluster events the headers of CloudEvents (Kafka protocol binding, binary mode).'),
      lingerMs: z.number().int().min(0).default(5).describe('How long a transaction waits for more outputs; under load up to a twentieth of what its first input has waited, at most 20 times this.'),
    })
    .prefault({})
    .describe('How outputs are committed.'),
  inference: z
    .strictObject({
      workerCount: positiveInteger.max(64).optional().describe('Worker threads; by default one per available core, at most two.'),
      consumer: z
        .string()
        .min(1)
        .default('batched')
        .describe('How the items of models that do not say it are put together and handed to workers: `batched`; `pool`, one by one on all workers; `single-thread`, one by one on one worker at a time; or what a plugin adds, as `PLUGIN/NAME`.'),
      batchLingerMs: z.number().int().min(0).default(2).describe('How long a batch waits for more items.'),
      queueItemsMax: positiveInteger.default(4096).describe('Items waiting per model, of each priority; more are refused until there is room.'),
      streamShareMin: z
        .number()
        .min(0.01)
        .max(0.99)
        .default(0.25)
        .describe('Share of the execution time that the stream has for sure while items of the priority `interactive` wait, which go first and have all the rest. Who is alone has everything.'),
      memoryBytesMax: positiveInteger
        .optional()
        .describe('Memory that loaded models may take, as estimated from their files for all workers: a model that is asked for takes the place of those not used for longest. Without it: as much as there is.'),
      imagePixelsMax: positiveInteger
        .max(1_000_000_000)
        .default(50_000_000)
        .describe('Most pixels (width x height) of an image; larger ones are dead letters. While it is decoded an image takes up to 13 bytes per pixel (usual ones 1 to 9), and each worker decodes as many pixels at once.'),
    })
    .prefault({})
    .describe('The workers that run the models.'),
  server: server.prefault({}).describe('HTTP: what operators, clients and emulated interfaces ask for.'),
  metrics: z
    .strictObject({ intervalMs: positiveInteger.default(10_000).describe('Time between two events in the topic `metrics`.') })
    .prefault({})
    .describe('Metrics as events.'),
  shutdown: z
    .strictObject({ deadlineMs: positiveInteger.default(30_000).describe('Time for an orderly stop; after seven tenths of it all work is abandoned.') })
    .prefault({})
    .describe('What happens on SIGTERM and SIGINT.'),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info').describe('Least severe messages that are written to standard error.') })
    .prefault({})
    .describe('Logging.'),
});

export type Settings = z.output<typeof settings>;

/** What a configuration file may say, for programs that write one: JSON is YAML. */
export type ConfigurationFile = z.input<typeof settings>;
