/**
 * The metrics of one process: observers that count what the components tell (the components hold no counter of their own), and the registry
 * that Prometheus reads. Prefix `labelstream_`, base units, bounded labels: no keys, no item ids, no collection names.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../core/clock.ts';
import type { TopicPartition } from '../core/records.ts';
import { inputTopics } from '../core/topics.ts';
import { createHttpMetrics, type HttpMetrics } from './http-observer.ts';
import { createKafkaMetrics, type KafkaMetrics } from './kafka-metrics.ts';
import { createModelMetrics, type ModelMetrics } from './model-metrics.ts';
import type { LabelViewObserver } from '../views/label-view-observer.ts';
import { silentObserver, type RunnerObserver } from '../pipeline/observe.ts';

const prefix = 'labelstream_';
const durationBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

export type MetricSample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

export type ReferenceMetrics = {
  /** An attempt at the content of a reference. @param outcome `fetched`, `cancelled`, or a code. */
  readonly fetched: (kind: string, outcome: string, bytes: number, durationMs: number) => void;
  /** Hosts and containers that do not answer, more or fewer. */
  readonly unavailable: (kind: string, change: 1 | -1) => void;
};

/** What components tell of themselves. */
export type MetricsObserver = {
  readonly runnerObserver: (stage: string) => RunnerObserver;
  readonly models: ModelMetrics;
  readonly logCommit: (records: number, bytes: number, durationMs: number) => void;
  /** Registered when they are asked for: a process without Kafka has none. */
  readonly kafka: (clock: Pick<Clock, 'elapsedMs'>) => KafkaMetrics;
  readonly metricEventDropped: () => void;
  /** Told of every failed attempt, and when the registry answers again. */
  readonly schemaRegistry: (state: 'available' | 'unavailable') => void;
  readonly references: ReferenceMetrics;
  readonly mainLoopStall: (longestMs: () => number) => void;
  readonly frozenCollections: (count: () => number) => void;
  readonly pendingGenerations: (count: () => number) => void;
  /** Inputs that an operator has paused; told whenever that changes. */
  readonly pausedInputs: (topics: readonly string[]) => void;
  /** One that is pending could not be built. */
  readonly generationFailed: () => void;
  /** Asked at every scrape: records between a stage's committed position and the end, by topic. */
  readonly lag: (read: () => Promise<readonly { readonly stage: string; readonly topic: string; readonly records: number }[]>) => void;
};

export type Metrics = MetricsObserver & {
  readonly registry: Registry;
  readonly http: HttpMetrics;
  readonly labelView: LabelViewMetrics;
  /** As many as there are. */
  readonly labelStreams: (count: number) => void;
  readonly samples: () => Promise<readonly MetricSample[]>;
  /** Since the start: records handled, by topic, and the dead letters of them. Asks nobody, so that it answers after the end, too. */
  readonly totals: () => Promise<{ readonly handled: Readonly<Record<string, number>>; readonly deadLetters: number }>;
};

export type LabelViewMetrics = Pick<LabelViewObserver, 'applied' | 'remaining' | 'rebuilding'>;

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix });
  // Gauges named like counters, which Prometheus' linter rightly refuses; the same figures come by type as well.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`${prefix}nodejs_active_${kind}_total`);
  const build = new Gauge({ name: `${prefix}build_info`, help: 'The version that runs; always 1.', labelNames: ['version'], registers: [registry] });
  build.set({ version }, 1);
  const commitSeconds = new Histogram({ name: `${prefix}log_commit_duration_seconds`, help: 'Time until a commit of the embedded log was durable.', buckets: durationBuckets, registers: [registry] });
  const logBytes = new Counter({ name: `${prefix}log_written_bytes_total`, help: 'Bytes of records written to the embedded log.', registers: [registry] });
  const logRecords = new Counter({ name: `${prefix}log_written_records_total`, help: 'Records written to the embedded log.', registers: [registry] });
  const dropped = new Counter({ name: `${prefix}metric_events_dropped_total`, help: 'MetricEvents that could not be published.', registers: [registry] });
  const generationFailures = new Counter({ name: `${prefix}generation_failures_total`, help: 'Attempts to build what collections are to go over to that failed.', registers: [registry] });
  const streams = metricsIn(registry).gauge('label_streams', 'Streams of labels that clients follow.');
  const paused = new Gauge({ name: `${prefix}input_paused`, help: '1 while an input is not read, because an operator has paused it.', labelNames: ['topic'], registers: [registry] });
  const runner = createRunnerMetrics(registry);
  let kafka: KafkaMetrics | undefined;
  return {
    registry,
    runnerObserver: runner,
    models: createModelMetrics(registry, prefix, durationBuckets),
    logCommit: (records, bytes, durationMs) => {
      logRecords.inc(records);
      logBytes.inc(bytes);
      commitSeconds.observe(durationMs / 1000);
    },
    kafka: (clock) => (kafka ??= createKafkaMetrics(registry, prefix, clock)),
    metricEventDropped: () => dropped.inc(),
    schemaRegistry: schemaRegistryMetrics(registry),
    references: createReferenceMetrics(registry),
    http: createHttpMetrics(metricsIn(registry).histogram('http_request_duration_seconds', 'Time from a request to its answer.', 'method', 'route', 'status')),
    labelView: createLabelViewMetrics(registry),
    labelStreams: (count) => streams.set(count),
    mainLoopStall: (longestMs) => askedGauge(registry, 'main_loop_stall_max_seconds', 'Longest CPU time of one turn of the main loop since the start.', () => longestMs() / 1000),
    frozenCollections: (count) => askedGauge(registry, 'frozen_collections', 'Collections clustered here that nothing enters, since they have reached their memory budget.', count),
    pendingGenerations: (count) => askedGauge(registry, 'pending_generations', 'Families of collections here whose parameters or projection were changed, and which have not gone over to them yet.', count),
    pausedInputs: (topics) => {
      paused.reset();
      for (const topic of inputTopics) paused.set({ topic }, topics.includes(topic) ? 1 : 0);
    },
    generationFailed: () => generationFailures.inc(),
    lag: (read) => {
      new Gauge({
        name: `${prefix}lag_records`,
        help: 'Records between the committed position of a stage and the end of its input.',
        labelNames: ['stage', 'topic'],
        registers: [registry],
        async collect() {
          const lags = await read();
          // What is not known now is not told.
          this.reset();
          for (const { stage, topic, records } of lags) this.set({ stage, topic }, records);
        },
      });
    },
    totals: async () => {
      const counted = async (name: string) => (await registry.getSingleMetric(prefix + name)?.get())?.values ?? [];
      const handled = await counted('records_handled_total');
      return {
        handled: Object.fromEntries(handled.map(({ labels, value }) => [String(labels['topic']), value])),
        deadLetters: (await counted('dead_letters_total')).reduce((sum, { value }) => sum + value, 0),
      };
    },
    samples: async () =>
      (await registry.getMetricsAsJSON()).flatMap((metric) =>
        metric.values.map((sample) => ({
          name: 'metricName' in sample && typeof sample.metricName === 'string' ? sample.metricName : metric.name,
          labels: Object.fromEntries(Object.entries(sample.labels).map(([name, value]) => [name, String(value)])),
          value: sample.value,
        })),
      ),
  };
}

/** Asked at every scrape. */
function askedGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name: prefix + name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function metricsIn(registry: Registry) {
  return {
    counter: <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Counter({ name: prefix + name, help, labelNames, registers: [registry] }),
    gauge: <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Gauge({ name: prefix + name, help, labelNames, registers: [registry] }),
    histogram: <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Histogram({ name: prefix + name, help, labelNames, buckets: durationBuckets, registers: [registry] }),
  };
}

function schemaRegistryMetrics(registry: Registry): Metrics['schemaRegistry'] {
  const away = new Gauge({ name: `${prefix}schema_registry_unavailable`, help: '1 while what needs the schema registry waits for it.', registers: [registry] });
  const failures = new Counter({ name: `${prefix}schema_registry_failures_total`, help: 'Attempts at the schema registry that failed.', registers: [registry] });
  return (state) => {
    away.set(state === 'available' ? 0 : 1);
    if (state === 'unavailable') failures.inc();
  };
}

function createLabelViewMetrics(registry: Registry): LabelViewMetrics {
  const { counter, gauge } = metricsIn(registry);
  const records = counter('label_view_records_total', 'Records that are in the view of labels.', 'topic');
  const remaining = gauge('label_view_remaining_records', 'Records of when the view of labels was opened that are still to be read.');
  const rebuilds = counter('label_view_rebuilds_total', 'Times that the view of labels was made from the log again.');
  return {
    applied: (topic, count) => records.inc({ topic }, count),
    remaining: (count) => remaining.set(count),
    rebuilding: () => rebuilds.inc(),
  };
}

function createReferenceMetrics(registry: Registry): ReferenceMetrics {
  const { counter, gauge, histogram } = metricsIn(registry);
  const fetches = counter('reference_fetches_total', 'Attempts at fetching the content of a reference, by outcome: fetched, cancelled, or the code of the failure.', 'kind', 'outcome');
  const bytesFetched = counter('reference_fetched_bytes_total', 'Bytes of content fetched for references.', 'kind');
  const seconds = histogram('reference_fetch_duration_seconds', 'Time of an attempt at fetching the content of a reference.', 'kind');
  const away = gauge('reference_sources_unavailable', 'Hosts and containers of references that do not answer and that something waits for.', 'kind');
  return {
    fetched: (kind, outcome, bytes, durationMs) => {
      fetches.inc({ kind, outcome });
      bytesFetched.inc({ kind }, bytes);
      seconds.observe({ kind }, durationMs / 1000);
    },
    unavailable: (kind, change) => away.inc({ kind }, change),
  };
}

function createRunnerMetrics(registry: Registry): (stage: string) => RunnerObserver {
  const { counter, gauge, histogram } = metricsIn(registry);
  const read = counter('records_read_total', 'Records read from an input topic.', 'stage', 'topic');
  const handled = counter('records_handled_total', 'Input records whose outputs are durable and whose position is committed.', 'stage', 'topic');
  const delivered = counter('outputs_delivered_total', 'Output records made durable.', 'stage');
  const deliverySeconds = histogram('delivery_duration_seconds', 'Time until outputs and position were durable.', 'stage');
  const deliveryRetries = counter('delivery_retries_total', 'Deliveries and reads that had to be repeated.', 'stage');
  const processSeconds = histogram('process_duration_seconds', 'Time from reading a record to its outputs.', 'stage');
  const deadLetters = counter('dead_letters_total', 'Dead letters, by error code.', 'stage', 'code');
  const parked = counter('parked_total', 'Records parked because they held others back.', 'stage');
  const inFlightRecords = gauge('in_flight_records', 'Records read and not yet delivered.', 'stage', 'topic', 'partition');
  const inFlightBytes = gauge('in_flight_bytes', 'Bytes of the records in flight.', 'stage', 'topic', 'partition');
  const gap = gauge('watermark_gap_records', 'Finished records that wait for an earlier one.', 'stage', 'topic', 'partition');
  const paused = gauge('partition_paused', '1 while a partition waits for a failing system.', 'stage', 'topic', 'partition');
  const assigned = gauge('partitions_assigned', 'Partitions that this process works on.', 'stage');
  const failures = counter('partition_failures_total', 'Partitions that stopped with an error.', 'stage');
  const forced = counter('forced_stops_total', 'Shutdowns that ran out of time with records in flight.', 'stage');

  const folds = createFoldMetrics(registry);

  return (stage) => {
    const at = ({ topic, partition }: TopicPartition) => ({ stage, topic, partition: String(partition) });
    const ofFold = folds(stage);
    return {
      ...silentObserver,
      ...ofFold,
      assigned: () => assigned.inc({ stage }),
      ended: (partition) => {
        assigned.dec({ stage });
        for (const each of [inFlightRecords, inFlightBytes, gap, paused]) each.remove(at(partition));
        ofFold.ended(partition);
      },
      polled: ({ topic }, records) => read.inc({ stage, topic }, records),
      pollRetried: () => deliveryRetries.inc({ stage }),
      processed: (_partition, durationMs) => processSeconds.observe({ stage }, durationMs / 1000),
      inFlight: (partition, held, waiting) => {
        inFlightRecords.set(at(partition), held.records);
        inFlightBytes.set(at(partition), held.bytes);
        gap.set(at(partition), waiting);
      },
      delivered: ({ topic }, { inputs, outputs, durationMs }) => {
        handled.inc({ stage, topic }, inputs);
        delivered.inc({ stage }, outputs);
        deliverySeconds.observe({ stage }, durationMs / 1000);
      },
      deliveryRetried: () => deliveryRetries.inc({ stage }),
      deadLettered: (_partition, code) => deadLetters.inc({ stage, code }),
      parked: () => parked.inc({ stage }),
      paused: (partition) => paused.set(at(partition), 1),
      resumed: (partition) => paused.set(at(partition), 0),
      failed: () => failures.inc({ stage }),
      forced: () => forced.inc({ stage }),
    };
  };
}

type FoldObserver = Pick<RunnerObserver, 'restoring' | 'restored' | 'snapshotWritten' | 'snapshotFailed' | 'snapshotsDiscarded' | 'ownRecordAppended' | 'ended'>;

/** What only stages with a state tell. */
function createFoldMetrics(registry: Registry): (stage: string) => FoldObserver {
  const { counter, gauge, histogram } = metricsIn(registry);
  const snapshots = counter('snapshots_total', 'Snapshots written, failed, or discarded because the log has another history.', 'stage', 'outcome');
  const snapshotSeconds = histogram('snapshot_duration_seconds', 'Time to write a snapshot.', 'stage');
  const restoring = gauge('restore_remaining_records', 'Records to be folded again before the state stands at the committed position.', 'stage', 'topic', 'partition');
  const restoreSeconds = gauge('restore_duration_seconds', 'Time of the last restore of a partition.', 'stage');
  const restoredRecords = counter('restored_records_total', 'Records folded again to restore state.', 'stage');
  const ownRecords = counter('own_records_total', 'Records that an owner appended for itself: ticks, claims, and what concerns generations and budgets.', 'stage');

  return (stage) => {
    const at = ({ topic, partition }: TopicPartition) => ({ stage, topic, partition: String(partition) });
    return {
      ended: (partition) => restoring.remove(at(partition)),
      restoring: (partition, remaining) => restoring.set(at(partition), Number(remaining)),
      restored: (_partition, { records, durationMs }) => {
        restoreSeconds.set({ stage }, durationMs / 1000);
        restoredRecords.inc({ stage }, records);
      },
      snapshotWritten: (_partition, _sequence, durationMs) => {
        snapshots.inc({ stage, outcome: 'written' });
        snapshotSeconds.observe({ stage }, durationMs / 1000);
      },
      snapshotFailed: () => snapshots.inc({ stage, outcome: 'failed' }),
      snapshotsDiscarded: (_partition, sequences) => snapshots.inc({ stage, outcome: 'discarded' }, sequences.length),
      ownRecordAppended: () => ownRecords.inc({ stage }),
    };
  };
}
