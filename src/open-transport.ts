/** The transport that a configuration names: the embedded log, or Kafka. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AccessRole, ProcessContext } from './process-context.ts';
import type { Configuration } from './config/load.ts';
import { kafkaError } from './core/errors/kafka.ts';
import { errorFields } from './observation/log-observer.ts';
import { watchStateHosts } from './observation/state-hosts.ts';
import { createRepeatedMessages } from './observation/repeated-messages.ts';
import type { FileSystem } from './pipeline/file-system.ts';
import { recordLimits } from './pipeline/record-limits.ts';
import type { Transport } from './pipeline/transport.ts';
import type { KafkaObserver, KafkaOptions } from './transports/kafka/kafka-options.ts';
import { limitsUnderPrefix, withNamePrefix } from './transports/kafka/name-prefix.ts';
import type { LogRetention, RetentionLimits } from './transports/log/retention.ts';

type LogSettings = Extract<Configuration['transport'], { readonly kind: 'log' }>;
type KafkaSettings = Extract<Configuration['transport'], { readonly kind: 'kafka' }>;

export type TransportUse = {
  readonly fileSystem: FileSystem;
  readonly role: AccessRole;
  /** Whether an embedded log that there is not is refused (LS_LOG_MISSING), and not made. */
  readonly logMustExist: boolean;
  /** What retention leaves of a partition, whatever its age, where labelstream removes records itself. */
  readonly neededFrom: LogRetention['neededFrom'];
  /** Ends the opening, with its reason. */
  readonly signal?: AbortSignal | undefined;
};

/** What the transport of a configuration is made of, for who cannot be held up by loading it later. Kafka's two clients take longer to load than all the rest. */
export async function loadTransport({ transport }: Pick<Configuration, 'transport'>): Promise<void> {
  await (transport.kind === 'kafka' ? kafkaParts() : logParts());
}

const kafkaParts = () => import('./transports/kafka/kafka-transport.ts');
const logParts = () => Promise.all([import('./transports/log/open-log.ts'), import('./transports/log/segment-log-store.ts'), import('./transports/log/log-transport.ts')]);

export async function openTransport(configuration: Configuration, context: ProcessContext, use: TransportUse): Promise<Transport> {
  const { transport } = configuration;
  if (transport.kind === 'kafka') {
    const { namePrefix } = transport;
    const groupHosts = keepsStateOnItsHost(configuration) ? watchStateHosts(context.logger, `${namePrefix}${configuration.group}-cluster`) : undefined;
    const options = await kafkaOptions(transport, context, groupHosts);
    const patience = use.role === 'processing' ? 'unbounded' : 'once';
    const { openKafkaTransport } = await kafkaParts();
    return withNamePrefix(await openKafkaTransport({ ...options, patience }, use.signal), namePrefix);
  }
  return openLogTransport(transport, configuration.dataDirectory, context, use);
}

async function openLogTransport(settings: LogSettings, dataDirectory: string, context: ProcessContext, { fileSystem, role, logMustExist, neededFrom }: TransportUse): Promise<Transport> {
  const { segmentBytes, journalBytes, recordBytesMax } = settings;
  const { logger } = context;
  const [{ openLog }, { defaultLogLimits }, { createLogTransport }] = await logParts();
  const store = await openLog({
    directory: join(dataDirectory, 'log'),
    role: role === 'any' || role === 'without-topics' ? 'any' : 'owner-required',
    mustExist: logMustExist,
    fileSystem,
    clock: context.clock,
    random: Math.random,
    waiting: (message) => logger.info(message),
    newIncarnation: () => randomBytes(6).toString('hex'),
    retention: { limitsOf: (topic) => retentionLimits(settings.retention, topic), neededFrom },
    ...(role === 'processing' ? { retentionCheckMs: settings.retention.checkIntervalMs } : {}),
    retentionFailed: (error) => logger.error(errorFields(error), 'records beyond retention could not be removed; it is tried again'),
    observer: {
      segmentsRemoved: (removed) => logger.info(removed, 'removed records beyond retention'),
      removalFailed: (path, error) => logger.warn({ path, ...errorFields(error) }, 'the file of removed records is still there; it goes at the next start'),
      commitDone: ({ durationMs, records, bytes }) => {
        context.metrics.logCommit(records, bytes, durationMs);
      },
      tailCut: (cut) => {
        logger.warn(cut, 'cut what a crash left unfinished');
      },
      failed: (error) => {
        logger.error(errorFields(error), 'the log accepts nothing more until it is opened again');
      },
    },
    limits: { ...defaultLogLimits, segmentBytes, journalBytes, recordBytes: recordLimits(recordBytesMax).largest },
  });
  return createLogTransport(store, { recordBytesMax });
}

/** What a topic says itself counts, then what is said of all. -1 is no limit, as with Kafka. */
export function retentionLimits({ ms, bytes, topics }: LogSettings['retention'], topic: string): RetentionLimits {
  const own = Object.entries(topics).find(([name]) => name === topic)?.[1];
  return { ms: limited(own?.ms ?? ms), bytes: limited(own?.bytes ?? bytes) };
}

function limited(value: number | undefined): number | undefined {
  return value === -1 ? undefined : value;
}

/** A directory that is not shared goes with its host; there is one host only where the log is. */
export function keepsStateOnItsHost({ state, transport }: Configuration): boolean {
  return state.kind === 'directory' && transport.kind === 'kafka';
}

async function kafkaOptions({ recordBytesMax, ...settings }: KafkaSettings, context: ProcessContext, groupHosts: KafkaObserver['groupHosts']): Promise<KafkaOptions> {
  return {
    ...settings,
    replicationFactor: settings.replicationFactor,
    tls: await readKafkaTls(settings),
    sasl: await readKafkaSasl(settings),
    limits: limitsUnderPrefix(recordLimits(recordBytesMax), settings.namePrefix),
    clock: context.clock,
    random: Math.random,
    observer: { ...kafkaObserver(context), ...(groupHosts === undefined ? {} : { groupHosts }) },
  };
}

/** Rejects with LS_KAFKA_CREDENTIALS_FILE. */
export async function readKafkaTls({ tls }: Pick<KafkaSettings, 'tls'>): Promise<KafkaOptions['tls']> {
  if (!tls.enabled) return undefined;
  return {
    ...(await readNamed('ca', tls.caFile, 'certificate')),
    ...(await readNamed('certificate', tls.certificateFile, 'certificate')),
    ...(await readNamed('key', tls.keyFile, 'key')),
  };
}

/** Rejects with LS_KAFKA_CREDENTIALS_FILE. */
export async function readKafkaSasl({ sasl }: Pick<KafkaSettings, 'sasl'>): Promise<KafkaOptions['sasl']> {
  if (sasl === undefined) return undefined;
  const { mechanism, username, passwordFile } = sasl;
  const password = sasl.password ?? (passwordFile === undefined ? '' : (await readText(passwordFile, 'password')).trim());
  return { mechanism, username, password };
}

function kafkaObserver({ clock, logger, metrics, brokers }: ProcessContext): KafkaObserver {
  const { rebalanced, transactionDone, fetched } = metrics.kafka(clock);
  const repeated = createRepeatedMessages(clock);
  return {
    transactionDone,
    // The clients try again and again while a broker is away.
    message: (level, text, details) => logger[level === 'debug' || repeated.isNews(text) ? level : 'debug'](details, text),
    rebalanced: (group, topics, durationMs) => {
      brokers.forgetPartitions(topics);
      rebalanced(group, topics, durationMs);
    },
    fetchFailed: brokers.away,
    groupFailed: (group, error) => brokers.away({ group }, error),
    groupAnswered: (group) => brokers.back({ group }),
    fetched: (partition, ...offsets) => {
      brokers.back(partition);
      fetched(partition, ...offsets);
    },
  };
}

async function readNamed<Name extends string>(name: Name, file: string | undefined, what: string): Promise<Partial<Record<Name, string>>> {
  return file === undefined ? {} : ({ [name]: await readText(file, what) } as Record<Name, string>);
}

async function readText(file: string, what: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw kafkaError('LS_KAFKA_CREDENTIALS_FILE', `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}.`, { file }, { cause });
  });
  if (text.trim() === '') throw kafkaError('LS_KAFKA_CREDENTIALS_FILE', `${file} holds no ${what}.`, { file });
  return text;
}
