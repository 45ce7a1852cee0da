/** What a record of the features topic was about, for commands that tell what it did. */
import type { Codec } from '../codec/codec.ts';
import { topics } from '../core/topics.ts';
import type { Transport } from '../pipeline/transport.ts';
import { eventIn } from '../codec/decoded.ts';

type Reading = {
  readonly transport: Pick<Transport, 'describeTopic' | 'boundAt' | 'bounds' | 'read'>;
  readonly codec: Pick<Codec, 'prepareDecode' | 'decode'>;
};

/**
 * As cluster events name their cause: the itemId of a feature, the kind of a control record. Undefined where the record is not kept any more, or was in
 * another life of the topic.
 */
export async function causeOfRecord({ transport, codec }: Reading, partition: number, sequence: bigint, signal: AbortSignal): Promise<string | undefined> {
  if (sequence < 0n) return undefined;
  const { incarnation } = await transport.describeTopic(topics.features);
  const place = { topic: topics.features, incarnation, partition };
  const bound = await transport.boundAt(place, { sequence });
  const { end } = await transport.bounds(place);
  if (bound.sequence !== sequence || bound.sequence >= end.sequence) return undefined;
  const [record] = await transport.read(place, bound.position, { records: 1, bytes: 1 }, signal);
  const decoded = record === undefined ? undefined : await eventIn(codec, record.value, signal);
  if (decoded?.schema === 'FeatureEvent') return decoded.event.itemId;
  return decoded?.schema === 'ControlEvent' ? kindOf(Object.keys(decoded.event.action)) : undefined;
}

/** `labelstream.v1.SetParameters` is `set-parameters`. */
function kindOf([branch = '']: readonly string[]): string {
  return branch.replace(/^.*\./, '').replaceAll(/(?<=[a-z])[A-Z]/g, '-$&').toLowerCase();
}
