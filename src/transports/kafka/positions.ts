/**
 * How Kafka's coordinates look to everybody else. A position is the next offset to read, as text that only this file makes and reads; a sequence
 * is an offset. What a group's checkpoint says beyond the offset travels in the metadata of the committed offset.
 */
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { Position } from '../../core/records.ts';
import type { Bound, Checkpoint } from '../../pipeline/transport.ts';

const positionPattern = /^(?:0|[1-9][0-9]{0,18})$/;
const metadataPattern = /^1:(-?[0-9]{1,19}):([0-9]{1,15})(?::([0-9]{1,6}))?$/;

export function positionOf(nextOffset: bigint): Position {
  return nextOffset.toString();
}

/** Rejects with LS_TRANSPORT_POSITION_INVALID. */
export function offsetAt(position: Position): bigint {
  if (!positionPattern.test(position)) {
    throw pipelineError('LS_TRANSPORT_POSITION_INVALID', `"${position.slice(0, 40)}" is not a position of a Kafka partition.`);
  }
  return BigInt(position);
}

export function boundOf(offset: bigint): Bound {
  return { position: positionOf(offset), sequence: offset };
}

/** Version 1: the sequence handled last, how many outputs of the record after it are out, and, where it is known, `firstStartPartitions`. */
export function checkpointMetadata({ sequence, outputsSent, firstStartPartitions }: Checkpoint): string {
  const carried = firstStartPartitions === undefined ? '' : `:${String(firstStartPartitions)}`;
  return `1:${sequence.toString()}:${String(outputsSent)}${carried}`;
}

/** An offset committed without our metadata was set by somebody's tool: everything before it counts as handled, nothing of what follows as sent. */
export function checkpointOf(nextOffset: bigint, metadata: string): Checkpoint {
  const [, sequence, outputsSent, firstStartPartitions] = metadataPattern.exec(metadata) ?? [];
  if (sequence === undefined || outputsSent === undefined) return { position: positionOf(nextOffset), sequence: nextOffset - 1n, outputsSent: 0 };
  const carried = firstStartPartitions === undefined ? {} : { firstStartPartitions: Number(firstStartPartitions) };
  return { position: positionOf(nextOffset), sequence: BigInt(sequence), outputsSent: Number(outputsSent), ...carried };
}

export function isBefore(left: Checkpoint, right: Checkpoint): boolean {
  return left.sequence < right.sequence || (left.sequence === right.sequence && left.outputsSent < right.outputsSent);
}

/** Several positions are as good, so they are not compared. */
export function isSame(left: Checkpoint | undefined, right: Checkpoint): boolean {
  return left?.sequence === right.sequence && left.outputsSent === right.outputsSent;
}
