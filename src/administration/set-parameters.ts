/** Asks for other parameters of a family of collections: they go over to them once those are built (SEMANTICS.md, rule 16). */
import { appendControlsTo } from '../clusters-of.ts';
import type { SetParameters } from '../core/events.generated.ts';
import type { TopicPartition } from '../core/records.ts';
import type { Access } from '../open-access.ts';
import { parametersRecord } from '../stages/cluster/control-records.ts';

/** Rejects as `appendControlsTo` does. */
export async function setParameters(access: Access, family: string, parameters: SetParameters): Promise<readonly TopicPartition[]> {
  await access.codec.prepareEncode();
  return appendControlsTo(access, (partitionCount) => [parametersRecord(access.codec, partitionCount, family, parameters)]);
}
