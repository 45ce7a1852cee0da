/**
 * How large a record may be, by topic, as `recordBytes` counts it. The setting bounds what comes in; from it follows what may come of that, so
 * that no record which was once accepted can stop the stage that reads it (SEMANTICS.md, rule 22).
 */
import { topics } from '../core/topics.ts';
import { deadLetterHeaderBytesMax } from './dead-letter.ts';
import { eventHeaderBytesMax } from './event-headers.ts';

export type RecordLimits = {
  readonly bytesMax: (topic: string) => number;
  /** Of all topics: what the store must take. */
  readonly largest: number;
};

const kibibyte = 1024;
/**
 * What is written for a stage to read again. `parked`: an input and its origin, below 2 KiB. `redrive`: a dead letter, its headers under other
 * names. `replay`: an input with its origin and the steps to run. `features`: of a deleted input ids alone (of 2 KiB
 * each) with names from the configuration, which need room where the setting is small; a result keeps to the setting itself, without
 * its headers.
 */
const readAgainBytes = 32 * kibibyte;
/** Of whatever a stage reads, with the headers that say why. */
const deadLetterBytes = 64 * kibibyte;
/** What CLUSTER makes of a features record: its ids and names again, or the ids of the clusters that it ended and began, 36 bytes each. */
const clusterResultBytes = 128 * kibibyte;

/** @param inputBytesMax of every topic that is not written by a stage. */
export function recordLimits(inputBytesMax: number): RecordLimits {
  const readAgain = inputBytesMax + readAgainBytes;
  const deadLetters = inputBytesMax + deadLetterBytes;
  const clusterResults = inputBytesMax + clusterResultBytes;
  if (readAgain + deadLetterHeaderBytesMax > deadLetters) throw new Error('the largest record that a stage reads does not fit into a dead letter');
  // The id of the dead letter, and the steps, need no more than the reason that they take the place of.
  if (deadLetterHeaderBytesMax > readAgainBytes) throw new Error('a dead letter does not fit into the topic that it is redriven to');
  // Of a deleted input the ids and names are the other half.
  if (eventHeaderBytesMax > readAgainBytes / 2) throw new Error('the headers of an event do not fit beside it');
  const ofStages = new Map<string, number>([
    [topics.parked, readAgain],
    [topics.redrive, readAgain],
    [topics.replay, readAgain],
    [topics.features, readAgain],
    [topics.deadLetters, deadLetters],
    [topics.labels, clusterResults],
    [topics.clusterEvents, clusterResults],
  ]);
  return { bytesMax: (topic) => ofStages.get(topic) ?? inputBytesMax, largest: Math.max(inputBytesMax, ...ofStages.values()) };
}

/** The setting under which a store that takes `largest` bytes is used in full. */
export function inputBytesMaxFor(largest: number): number {
  return largest - recordLimits(0).largest;
}
