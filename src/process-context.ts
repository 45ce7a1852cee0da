/** What every part of a process shares: who it is, what time it is, and where it tells what it does. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from './core/clock.ts';
import { ownExtensions, type Extensions } from './load-plugins.ts';
import { createBrokerWatch, type BrokerWatch } from './observation/broker-watch.ts';
import { collectModelStatistics, type ModelStatisticsCollector } from './models/model-statistics.ts';
import type { Metrics, MetricsObserver } from './observation/metrics.ts';
import { createReadiness, type Readiness } from './observation/readiness.ts';
import { silentMetrics } from './observation/silent-metrics.ts';
import { packageDirectory } from './package-directory.ts';
import { systemClock } from './pipeline/system-clock.ts';

export type ProcessContext = {
  readonly logger: Logger;
  readonly metrics: MetricsObserver;
  readonly readiness: Readiness;
  readonly clock: Clock;
  readonly brokers: BrokerWatch;
  /** Who writes the metrics, for people who read several. */
  readonly instance: string;
  readonly extensions: Extensions;
  /** Of the models that this process serves. */
  readonly modelStatistics: ModelStatisticsCollector;
};

/** Of a process that goes on, and whose metrics are read. */
export type ServiceContext = ProcessContext & { readonly metrics: Metrics; readonly version: string };

export async function createProcessContext(logger: Logger, extensions: Extensions = ownExtensions): Promise<ServiceContext> {
  const { createMetrics } = await import('./observation/metrics.ts');
  const { version } = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8')) as { readonly version: string };
  return { ...contextWith(createMetrics(version), logger, extensions), version };
}

/** Of a command that ends. */
export function createCommandContext(logger: Logger, extensions: Extensions): ProcessContext {
  return contextWith(silentMetrics, logger, extensions);
}

function contextWith<Told extends MetricsObserver>(metrics: Told, logger: Logger, extensions: Extensions): ProcessContext & { readonly metrics: Told } {
  const instance = `${hostname()}-${process.pid}`;
  const readiness = createReadiness();
  const clock = systemClock;
  return { logger, metrics, readiness, clock, brokers: createBrokerWatch({ logger, metrics, readiness, clock }), instance, extensions, modelStatistics: collectModelStatistics(clock.nowMs) };
}

/**
 * `processing`: `run`, which alone removes what is beyond retention. `owner-required`: alone on the embedded log. `any`: reads and publishes beside them.
 * `without-topics`: as `any`, and takes the topics as they are. `repartitioning`: as `owner-required`, and takes them as they are.
 */
export type AccessRole = 'processing' | 'owner-required' | 'repartitioning' | 'any' | 'without-topics';
