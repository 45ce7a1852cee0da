/** What came out of the demo, read from the topics as any consumer would. */
import { clustersOf } from '../../clusters-of.ts';
import type { Access } from '../../open-access.ts';
import type { LabelEvent } from '../../core/events.generated.ts';
import type { ConsumedRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { headerNames } from '../../pipeline/headers.ts';
import { readRange } from '../../pipeline/read-range.ts';
import type { DemoSummary } from './demo-summary.ts';

const samplesLookedAt = 20;
const samplesShown = 3;

type Outcome = Pick<DemoSummary, 'labelsOut' | 'labels' | 'clusterEvents' | 'clusters' | 'noise' | 'deadLetters'>;

export async function outcomeOf(access: Access, signal: AbortSignal): Promise<Outcome> {
  const view = await clustersOf(access, signal);
  return {
    labelsOut: await countOf(access, topics.labels),
    labels: await topLabelsByStep(access, signal),
    clusterEvents: await countOf(access, topics.clusterEvents),
    clusters: view.clusters({ samplesMax: samplesLookedAt }).value.map(({ collection, clusterId, size, samples }) => ({
      collection,
      id: clusterId,
      size,
      samples: differentTexts(samples.map(({ itemId, preview }) => ({ itemId, text: preview ?? '' }))).slice(0, samplesShown),
    })),
    noise: view.collections().value.reduce((sum, { noiseCount }) => sum + noiseCount, 0),
    deadLetters: await deadLettersByCode(access, signal),
  };
}

export async function countOf({ transport, partitionCountOf }: Access, topic: string): Promise<number> {
  let count = 0;
  for (let partition = 0; partition < partitionCountOf(topic); partition++) {
    const { start, end } = await transport.bounds({ topic, partition });
    count += Number(end.sequence - start.sequence);
  }
  return count;
}

/** The nearest to a cluster's middle are often the same text again. */
function differentTexts<Sample extends { readonly text: string }>(samples: readonly Sample[]): readonly Sample[] {
  return samples.filter(({ text }, index) => samples.findIndex((sample) => sample.text === text) === index);
}

async function topLabelsByStep(access: Access, signal: AbortSignal): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>> {
  const steps: Record<string, Record<string, number>> = {};
  for await (const { value } of recordsOf(access, topics.labels, signal)) {
    const { routeStep, result } = access.codec.decodeAs('LabelEvent', value);
    const label = topLabelOf(result);
    if (label !== undefined) countUp((steps[routeStep] ??= {}), label);
  }
  return steps;
}

function topLabelOf(result: LabelEvent['result']): string | undefined {
  if ('labelstream.v1.Classification' in result) return result['labelstream.v1.Classification'].labels[0]?.label;
  if ('labelstream.v1.Prediction' in result) return result['labelstream.v1.Prediction'].label ?? undefined;
  return undefined;
}

async function deadLettersByCode(access: Access, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for await (const { headers } of recordsOf(access, topics.deadLetters, signal)) countUp(counts, headers.get(headerNames.errorCode)?.toString() ?? 'unknown');
  return counts;
}

function countUp(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

async function* recordsOf({ transport, partitionCountOf }: Access, topic: string, signal: AbortSignal): AsyncGenerator<ConsumedRecord> {
  for (let partition = 0; partition < partitionCountOf(topic); partition++) {
    const place = { topic, partition };
    const { start, end } = await transport.bounds(place);
    for await (const records of readRange(transport, place, { from: start, until: end }, signal)) yield* records;
  }
}
