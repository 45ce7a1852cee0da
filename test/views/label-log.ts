/** A log of labels and cluster events in memory, views that follow it, and what a consumer makes of it who keeps everything and thinks at the end. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createClusterResolver } from '../../src/clustering/alias-resolver.ts';
import { openCodec } from '../../src/codec/codec.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { ClusterEvent, LabelEvent, Origin } from '../../src/core/events.generated.ts';
import { partitionForKey } from '../../src/core/partitioning.ts';
import { noHeaders, type TopicPartition } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { codeOf } from '../../src/pipeline/retry.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { openLabelView, type LabelsAnswer, type LabelView } from '../../src/views/label-view.ts';
import type { LabelViewObserver } from '../../src/views/label-view-observer.ts';
import { createMemoryBroker, type MemoryBroker } from '../pipeline/memory-broker.ts';

export const codec = await openCodec();
export const retentionMs = 1_000_000;

export type LabelLog = {
  readonly broker: MemoryBroker;
  readonly clock: Clock & { passMs: (durationMs: number) => void };
  readonly tellLabel: (event: LabelEvent) => void;
  readonly tellChange: (event: ClusterEvent) => void;
};

export function createLabelLog(partitions: { readonly labels: number; readonly clusterEvents: number }, gap?: () => number): LabelLog {
  let nowMs = 1_700_000_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs, passMs: (durationMs: number): void => void (nowMs += durationMs) };
  const broker = createMemoryBroker({ clock, ...(gap && { gap }) });
  broker.createTopic(topics.labels, partitions.labels);
  broker.createTopic(topics.clusterEvents, partitions.clusterEvents);
  const append = (topic: string, key: string, partitionCount: number, value: Buffer): void => broker.append([{ topic, partition: partitionForKey(key, partitionCount), key: Buffer.from(key), value, headers: noHeaders }]);
  return {
    broker,
    clock,
    tellLabel: (event) => append(topics.labels, event.inputId, partitions.labels, codec.encode('LabelEvent', event)),
    tellChange: (event) => append(topics.clusterEvents, event.collection, partitions.clusterEvents, codec.encode('ClusterEvent', event)),
  };
}

export async function viewDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-view-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'views');
}

type Told = readonly [event: keyof LabelViewObserver, ...details: readonly unknown[]];

export type OpenView = LabelView & { readonly told: Told[] };

export function openView({ broker }: LabelLog, directory: string, limits: Partial<{ retentionMs: number; itemsMax: number }> = {}): OpenView {
  const told: Told[] = [];
  const observer: LabelViewObserver = {
    applied: (...details) => void told.push(['applied', ...details]),
    remaining: () => undefined,
    rebuilding: (...details) => void told.push(['rebuilding', ...details]),
    built: () => void told.push(['built']),
    incomplete: (...details) => void told.push(['incomplete', ...details]),
    passedOver: (...details) => void told.push(['passedOver', ...details]),
    failed: (...details) => void told.push(['failed', ...details]),
  };
  const view = openLabelView({ transport: broker.connect().transport, codec, directory, limits: { retentionMs, itemsMax: 1_000_000, ...limits }, clock: { sleep: () => systemClock.sleep(1) }, random: Math.random, observer });
  onTestFinished(() => view.close());
  return { ...view, told };
}

/** What the view answers once it is built, and knows of all that the log holds. */
export async function answerAtEnd(log: LabelLog, view: LabelView, itemId: string): Promise<LabelsAnswer> {
  for (;;) {
    const answer = await view.labelsOfItem(itemId).catch((error: unknown) => {
      if (codeOf(error) !== 'LS_VIEW_BUILDING') throw error;
      return undefined;
    });
    if (answer?.heldAt.every(({ topic, partition, sequence }) => BigInt(sequence ?? -1) + 1n === endOf(log, { topic, partition })) === true) return answer;
    await systemClock.sleep(2);
  }
}

function endOf({ broker }: LabelLog, place: TopicPartition): bigint {
  const last = broker.records(place).at(-1);
  return last === undefined ? 0n : last.sequence + 1n;
}

export type Shown = { readonly id: string; readonly currentClusterId: string | null | undefined };

export const shown = ({ labels }: LabelsAnswer): readonly Shown[] => labels.map(({ label, currentClusterId }) => ({ id: label.id, currentClusterId })).sort(byId);

const byId = (left: Shown, right: Shown): number => (left.id < right.id ? -1 : 1);

/** Of an item, by the rules for consumers. */
export function expectedLabels({ broker }: LabelLog, itemId: string): readonly Shown[] {
  const kept = keptEvents(broker, itemId);
  const removed = kept.filter(({ result }) => 'labelstream.v1.Assignment' in result && result['labelstream.v1.Assignment'].role === 'removed');
  const groups = new Map<string, LabelEvent[]>();
  for (const event of kept) {
    const isAssignment = 'labelstream.v1.Assignment' in event.result;
    if (!isAssignment && removed.some(({ origin }) => isAtMost(event.origin, origin))) continue;
    const group = isAssignment ? `a ${event.result['labelstream.v1.Assignment'].family}` : `r ${event.routeStep} ${event.task}`;
    groups.set(group, [...(groups.get(group) ?? []), event]);
  }
  const resolver = createClusterResolver();
  for (const { value } of broker.allRecords(topics.clusterEvents)) resolver.applyClusterEvent(codec.decodeAs('ClusterEvent', value));
  return [...groups.values()]
    .flatMap((events): Shown[] => {
      const isAssignment = 'labelstream.v1.Assignment' in events[0]!.result;
      const newest = events.reduce((best, event) => (isNewer(event, best, isAssignment) ? event : best));
      if (!('labelstream.v1.Assignment' in newest.result)) return [{ id: newest.id, currentClusterId: undefined }];
      resolver.applyLabel(newest);
      const current = resolver.clusterOf(itemId, newest.result['labelstream.v1.Assignment'].family);
      return current === undefined ? [] : [{ id: newest.id, currentClusterId: current }];
    })
    .sort(byId);
}

/** Since it was last silent for longer than the retention. */
function keptEvents(broker: MemoryBroker, itemId: string): readonly LabelEvent[] {
  for (const place of broker.partitions(topics.labels)) {
    const records = broker.records(place).map(({ value, appendTimeMs }) => ({ event: codec.decodeAs('LabelEvent', value), appendTimeMs }));
    const own = records.filter(({ event }) => event.itemId === itemId);
    if (own.length === 0) continue;
    const times = [...own.map(({ appendTimeMs }) => appendTimeMs), records.at(-1)!.appendTimeMs];
    const silent = times.findLastIndex((timeMs, index) => index > 0 && timeMs - times[index - 1]! > retentionMs);
    return own.slice(Math.max(0, silent)).map(({ event }) => event);
  }
  return [];
}

const isAtMost = (left: Origin, right: Origin): boolean => (left.partition === right.partition ? left.sequence <= right.sequence : left.appendTime < right.appendTime);

function isNewer(event: LabelEvent, best: LabelEvent, isAssignment: boolean): boolean {
  const isHigher = event.revision.epoch !== best.revision.epoch ? event.revision.epoch > best.revision.epoch : event.revision.number > best.revision.number;
  const isSameOrigin = event.origin.partition === best.origin.partition && event.origin.sequence === best.origin.sequence;
  return isAssignment || isSameOrigin ? isHigher : !isAtMost(event.origin, best.origin);
}
