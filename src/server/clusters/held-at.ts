/** For which records an answer about clusters holds, and the records that a question waits for. */
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import type { AskOptions, PartitionStanding } from '../../stages/cluster/cluster-queries.ts';

const standing = z.strictObject({ partition: z.int(), sequence: z.string().nullable().describe('Of the last record that the answer knows of; null where there was none.') });
export const heldAt = z.array(standing).describe('By partition of features.');

export function heldAtOf(standings: readonly PartitionStanding[]): z.output<typeof heldAt> {
  return standings.map(standingOf);
}

export function standingOf({ partition, sequence }: PartitionStanding): z.output<typeof standing> {
  return { partition, sequence: sequence === undefined ? null : String(sequence) };
}

const place = z.string().regex(/^\d{1,9}:\d{1,18}$/).describe('PARTITION:SEQUENCE, such as 0:17.');

/** A part of the queries of all questions about clusters. */
export const waiting = {
  atLeast: z
    .union([place, z.array(place)])
    .optional()
    .describe('PARTITION:SEQUENCE of features, once or for several partitions: the answer is to know that record, and is waited for. What changes clusters answers with it.'),
};

export type Waiting = { readonly atLeast?: string | readonly string[] | undefined };

/** @param signal ends the waiting. */
export function askOptionsOf({ atLeast }: Waiting, signal: AbortSignal): AskOptions {
  const places = atLeast === undefined ? [] : [atLeast].flat();
  const wanted = places.map((text): [number, bigint] => {
    const [partition = '', sequence = ''] = text.split(':');
    return [Number(partition), BigInt(sequence)];
  });
  if (new Map(wanted).size < wanted.length) throw serverError('LS_SERVER_REQUEST', 'atLeast names a partition twice', { atLeast: places.join(' ') });
  return { signal, atLeast: new Map(wanted) };
}
