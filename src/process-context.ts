/** What every part of a process shares: who it is, what time it is, and where it tells what it does. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from './core/clock.ts';
import { ownExtensions, type Extensions } from './load-plugins.ts';
import { createBrokerWatch, type BrokerWatch } from './observation/broker-watch.ts';
import { createMetrics, type Metrics } from './observation/metrics.ts';
import { createReadiness, type Readiness } from './observation/readiness.ts';
import { packageDirectory } from './package-directory.ts';
import { systemClock } from './pipeline/system-clock.ts';

export type ProcessContext = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly clock: Clock;
  readonly brokers: BrokerWatch;
  /** Who writes the metrics, for people who read several. */
  readonly instance: string;
  readonly extensions: Extensions;
};

export async function createProcessContext(logger: Logger, extensions: Extensions = ownExtensions): Promise<ProcessContext> {
  const { version } = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8')) as { readonly version: string };
  const instance = `${hostname()}-${process.pid}`;
  const metrics = createMetrics(version);
  const readiness = createReadiness();
  const clock = systemClock;
  return { logger, metrics, readiness, clock, brokers: createBrokerWatch({ logger, metrics, readiness, clock }), instance, extensions };
}

/**
 * `processing`: `run`, which alone removes what is beyond retention. `owner-required`: alone on the embedded log. `any`: reads and publishes beside them.
 * `without-topics`: as `any`, and takes the topics as they are. `repartitioning`: as `owner-required`, and takes them as they are.
 */
export type AccessRole = 'processing' | 'owner-required' | 'repartitioning' | 'any' | 'without-topics';
