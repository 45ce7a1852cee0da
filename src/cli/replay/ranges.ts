/** Which records of which partitions a replay reads. */
import type { Access } from '../../open-access.ts';
import { cliError } from '../../core/errors/cli.ts';
import { eventTopics } from '../../core/topics.ts';
import type { TopicPartition } from '../../core/records.ts';
import type { Bound, Landmark, PartitionBounds } from '../../pipeline/transport.ts';
import { landmarkText } from '../time-option.ts';
import { ownTopic } from '../topic-names.ts';

export type RangeOptions = {
  /** None: all event topics. */
  readonly topics: readonly string[];
  /** None: all. */
  readonly partitions: readonly number[];
  readonly from: Landmark;
  /** Undefined: the end as it is now. */
  readonly until: Landmark | undefined;
};

export type Range = TopicPartition & { readonly from: Bound; readonly until: Bound };

/** Throws LS_CLI_USAGE for what can be in no range, whatever the log holds. */
export function checkRange({ topics, from, until }: RangeOptions): void {
  const named = [from, until].find((landmark) => landmark !== undefined && 'sequence' in landmark);
  if (named !== undefined && topics.length !== 1) {
    throw cliError('LS_CLI_USAGE', `${landmarkText(named)} is a place in one topic: name it with --topic (${eventTopics.join(', ')}), or give times`);
  }
  if (until !== undefined && !isBefore(from, until)) {
    throw cliError('LS_CLI_USAGE', `--from ${landmarkText(from)} is not before --until ${landmarkText(until)}, which is the first record that is not replayed`);
  }
}

function isBefore(from: Landmark, until: Landmark): boolean {
  if ('sequence' in from && 'sequence' in until) return from.sequence < until.sequence;
  if ('appendTimeMs' in from && 'appendTimeMs' in until) return from.appendTimeMs < until.appendTimeMs;
  return true;
}

/** Those with records in them. Throws LS_CLI_RANGE_EMPTY where there is none, and LS_CLI_USAGE for what is no topic or partition. */
export async function rangesOf(access: Access, options: RangeOptions): Promise<readonly Range[]> {
  const { transport, configuration } = access;
  const ranges: Range[] = [];
  const held: string[] = [];
  for (const topic of options.topics.length === 0 ? eventTopics : options.topics.map((name) => ownTopic(configuration, name, eventTopics))) {
    const { partitionCount } = await transport.describeTopic(topic);
    const unknown = options.partitions.find((partition) => partition >= partitionCount);
    if (unknown !== undefined) throw cliError('LS_CLI_USAGE', `${topic} has the partitions 0 to ${partitionCount - 1}; there is no partition ${unknown}`);
    for (let partition = 0; partition < partitionCount; partition++) {
      if (options.partitions.length > 0 && !options.partitions.includes(partition)) continue;
      const place = { topic, partition };
      const bounds = await transport.bounds(place);
      const from = await transport.boundAt(place, options.from);
      const found = options.until === undefined ? bounds.end : await transport.boundAt(place, options.until);
      // What arrives from now on is read anyway.
      const until = found.sequence > bounds.end.sequence ? bounds.end : found;
      if (from.sequence < until.sequence) ranges.push({ topic, partition, from, until });
      held.push(heldText(place, bounds));
    }
  }
  if (ranges.length > 0) return ranges;
  const asked = `from ${landmarkText(options.from)}${options.until === undefined ? '' : ` until before ${landmarkText(options.until)}`}`;
  throw cliError('LS_CLI_RANGE_EMPTY', `there is no record ${asked}; ${held.join(', ')}`);
}

function heldText({ topic, partition }: TopicPartition, { start, end }: PartitionBounds): string {
  const what = start.sequence === end.sequence ? 'nothing' : `the sequences ${start.sequence} to ${end.sequence - 1n}`;
  return `partition ${partition} of ${topic} holds ${what}`;
}
