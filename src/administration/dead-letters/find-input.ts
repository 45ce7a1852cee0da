/** What of a dead letter is given to EXTRACT once more. */
import type { Access } from '../../open-access.ts';
import type { Origin } from '../../core/events.generated.ts';
import type { ConsumedRecord } from '../../core/records.ts';
import { eventTopics } from '../../core/topics.ts';
import type { DeadLetter, RedrivenInput } from '../../pipeline/redrive.ts';
import { featureOf } from './history.ts';

export type Found = { readonly kind: 'found'; readonly redriven: RedrivenInput } | { readonly kind: 'refused'; readonly reason: string };

/**
 * What EXTRACT could not handle is in the dead letter. What CLUSTER refused is a feature: its input is extracted again, by the step that it came
 * from and the models as they are now (SEMANTICS.md, rule 16).
 */
export async function findInput(access: Access, letter: DeadLetter, signal: AbortSignal): Promise<Found> {
  if (letter.stage === 'extract') {
    const { routeSteps, results, record } = letter;
    return { kind: 'found', redriven: { input: record, routeSteps, results } };
  }
  if (letter.stage !== 'cluster') return { kind: 'refused', reason: `it was written by no stage of labelstream (its stage is "${letter.stage.slice(0, 100)}")` };
  const feature = await featureOf(access, letter.record, signal);
  if (feature === undefined) return { kind: 'refused', reason: 'it holds no feature event: a control record, or what another program wrote to the topic features' };
  const input = await inputAt(access, feature.origin, signal);
  if (input === undefined) {
    const { topic, partition, sequence } = feature.origin;
    return { kind: 'refused', reason: `its input, sequence ${sequence} of partition ${partition} of ${topic}, is not there any more` };
  }
  return { kind: 'found', redriven: { input, routeSteps: [feature.routeStep], results: undefined } };
}

/** Undefined where the topic, this life of it, or the record is gone. */
async function inputAt({ transport }: Access, origin: Origin, signal: AbortSignal): Promise<ConsumedRecord | undefined> {
  if (!eventTopics.some((topic) => topic === origin.topic)) return undefined;
  const { incarnation, partitionCount } = await transport.describeTopic(origin.topic);
  if (incarnation !== origin.incarnation || origin.partition >= partitionCount) return undefined;
  const bound = await transport.boundAt(origin, { sequence: origin.sequence });
  const { end } = await transport.bounds(origin);
  if (bound.sequence !== origin.sequence || bound.sequence >= end.sequence) return undefined;
  const [record] = await transport.read(origin, bound.position, { records: 1, bytes: 1 }, signal);
  return record;
}
