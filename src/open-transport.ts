/** The transport that a configuration names: the embedded log, or Kafka. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessContext } from './process-context.ts';
import type { Configuration } from './config/load.ts';
import { errorFields } from './observation/log-observer.ts';
import type { FileSystem } from './pipeline/file-system.ts';
import { recordLimits } from './pipeline/record-limits.ts';
import type { Transport } from './pipeline/transport.ts';
import type { KafkaOptions } from './transports/kafka/kafka-options.ts';
import { openKafkaTransport } from './transports/kafka/kafka-transport.ts';
import { createLogTransport } from './transports/log/log-transport.ts';
import { openLog } from './transports/log/open-log.ts';
import { defaultLogLimits } from './transports/log/segment-log-store.ts';

type LogSettings = Extract<Configuration['transport'], { readonly kind: 'log' }>;
type KafkaSettings = Extract<Configuration['transport'], { readonly kind: 'kafka' }>;

/** @param role `owner-required` for what processes; `any` for what reads and publishes beside it. */
export async function openTransport(configuration: Configuration, context: ProcessContext, fileSystem: FileSystem, role: 'owner-required' | 'any'): Promise<Transport> {
  const { transport } = configuration;
  if (transport.kind === 'kafka') return openKafkaTransport(await kafkaOptions(transport, context));
  return openLogTransport(transport, configuration.dataDirectory, context, fileSystem, role);
}

async function openLogTransport(settings: LogSettings, dataDirectory: string, context: ProcessContext, fileSystem: FileSystem, role: 'owner-required' | 'any'): Promise<Transport> {
  const { segmentBytes, journalBytes, recordBytesMax } = settings;
  const store = await openLog({
    directory: join(dataDirectory, 'log'),
    role,
    fileSystem,
    clock: context.clock,
    random: Math.random,
    waiting: (message) => context.logger.info(message),
    newIncarnation: () => randomBytes(6).toString('hex'),
    observer: {
      commitDone: ({ durationMs, records, bytes }) => {
        context.metrics.logCommit(records, bytes, durationMs);
      },
      tailCut: (cut) => {
        context.logger.warn(cut, 'cut what a crash left unfinished');
      },
      failed: (error) => {
        context.logger.error(errorFields(error), 'the log accepts nothing more until it is opened again');
      },
    },
    limits: { ...defaultLogLimits, segmentBytes, journalBytes, recordBytes: recordLimits(recordBytesMax).largest },
  });
  return createLogTransport(store, { recordBytesMax });
}

async function kafkaOptions({ tls, sasl, recordBytesMax, ...settings }: KafkaSettings, { clock, logger }: ProcessContext): Promise<KafkaOptions> {
  return {
    ...settings,
    replicationFactor: settings.replicationFactor,
    tls: tls.enabled ? { ...(await pem('ca', tls.caFile)), ...(await pem('certificate', tls.certificateFile)), ...(await pem('key', tls.keyFile)) } : undefined,
    sasl: sasl && { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password ?? (await passwordOf(sasl.passwordFile)) },
    limits: recordLimits(recordBytesMax),
    clock,
    random: Math.random,
    observer: {
      message: (level, text, details) => logger[level](details, text),
      rebalanced: () => undefined,
      transactionDone: () => undefined,
    },
  };
}

async function pem<Name extends string>(name: Name, file: string | undefined): Promise<Partial<Record<Name, string>>> {
  return file === undefined ? {} : ({ [name]: await readFile(file, 'utf8') } as Record<Name, string>);
}

async function passwordOf(file: string | undefined): Promise<string> {
  return file === undefined ? '' : (await readFile(file, 'utf8')).trim();
}
