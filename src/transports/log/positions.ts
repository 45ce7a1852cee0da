/**
 * How the log's coordinates look to everybody else. A position is the next sequence to read, as text that only this file makes and reads;
 * what a group's checkpoint says beyond it travels as the stored checkpoint's metadata.
 */
import { logError } from '../../core/errors/log.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { Position, TopicPartition } from '../../core/records.ts';
import type { Checkpoint } from '../../pipeline/transport.ts';
import type { GroupCheckpoint } from './log-store.ts';

const positionPattern = /^(?:0|[1-9][0-9]{0,18})$/;
const metadataPattern = /^1:(-?[0-9]{1,19}):([0-9]{1,15})(?::([0-9]{1,6}))?$/;

export function positionOf(nextSequence: bigint): Position {
  return nextSequence.toString();
}

export function sequenceAt(position: Position): bigint {
  if (!positionPattern.test(position)) {
    throw pipelineError('LS_TRANSPORT_POSITION_INVALID', `"${position.slice(0, 40)}" is not a position of the embedded log.`);
  }
  return BigInt(position);
}

/** Version 1: the sequence handled last, how many outputs of the record after it are out, and, where it is known, `firstStartPartitions`. */
function checkpointMetadata({ sequence, outputsSent, firstStartPartitions }: Checkpoint): string {
  const carried = firstStartPartitions === undefined ? '' : `:${String(firstStartPartitions)}`;
  return `1:${sequence.toString()}:${String(outputsSent)}${carried}`;
}

export function storedCheckpoint(group: string, { topic, partition }: TopicPartition, checkpoint: Checkpoint): GroupCheckpoint {
  return { group, topic, partition, nextSequence: sequenceAt(checkpoint.position), metadata: checkpointMetadata(checkpoint) };
}

export function checkpointOf(stored: GroupCheckpoint): Checkpoint {
  const [, sequence, outputsSent, firstStartPartitions] = metadataPattern.exec(stored.metadata) ?? [];
  if (sequence === undefined || outputsSent === undefined) {
    throw logError(
      'LS_LOG_CHECKPOINT_INVALID',
      `The checkpoint of group ${stored.group} for partition ${stored.partition} of ${stored.topic} holds metadata that is not this transport's.`,
      { group: stored.group, topic: stored.topic, partition: stored.partition },
    );
  }
  const carried = firstStartPartitions === undefined ? {} : { firstStartPartitions: Number(firstStartPartitions) };
  return { position: positionOf(stored.nextSequence), sequence: BigInt(sequence), outputsSent: Number(outputsSent), ...carried };
}
