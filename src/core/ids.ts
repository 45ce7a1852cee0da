/**
 * Deterministic ids (SEMANTICS.md, rule 3): the same cause always gives the same id, in every process and after every crash, which is what
 * lets a consumer drop repeats.
 */
import { hash } from 'node:crypto';
import type { Origin, Revision } from './events.generated.ts';

/** The parts are framed by their length, so that no two lists of parts hash alike. 128 bits of SHA-256 in hexadecimal. */
export function hashId(...parts: readonly (string | number | bigint)[]): string {
  let framed = '';
  for (const part of parts) {
    const text = String(part);
    framed += `${byteLengthOf(text)}:${text}`;
  }
  return hash('sha256', framed).slice(0, 32);
}

/** In UTF-8. Most parts are short and ASCII, and a loop over them is faster than the call of byteLength. */
function byteLengthOf(text: string): number {
  const { length } = text;
  if (length > 64) return Buffer.byteLength(text);
  for (let index = 0; index < length; index++) if (text.charCodeAt(index) >= 0x80) return Buffer.byteLength(text);
  return length;
}

export function itemIdOf(event: { readonly source: string; readonly id: string }): string {
  return `${event.source}/${event.id}`;
}

/** Whether a text has the form source/id. */
export function isItemId(text: string): boolean {
  const slash = text.indexOf('/');
  return slash > 0 && slash < text.length - 1;
}

/** Of `id` and of `source`, each. */
export const identifierLengthMax = 512;

type IdentifierMistake = { readonly field: 'id' | 'source'; readonly message: string };

/** A slash in the source would let two pairs (source, id) name one item. */
export function identifierMistake(event: { readonly source: string; readonly id: string }): IdentifierMistake | undefined {
  for (const field of ['id', 'source'] as const) {
    const { length } = event[field];
    if (length === 0 || length > identifierLengthMax) {
      return { field, message: `the field ${field} has ${length} characters; 1 to ${identifierLengthMax} are allowed` };
    }
  }
  return event.source.includes('/') ? { field: 'source', message: 'the field source contains a slash' } : undefined;
}

/** How a forget names an item without keeping its name: SHA-256 of the itemId, hexadecimal. */
export function itemHashOf(itemId: string): string {
  return hash('sha256', itemId);
}

export function labelEventId(
  origin: Origin,
  routeStep: string,
  collection: string,
  generation: string,
  revision: Revision,
): string {
  return hashId(
    'label', origin.incarnation, origin.partition, origin.sequence, routeStep, collection, generation, revision.epoch, revision.number,
  );
}

export function featureEventId(origin: Origin, routeStep: string, family: string): string {
  return hashId('feature', origin.incarnation, origin.partition, origin.sequence, routeStep, family);
}

/**
 * What a collection is called in ids: its name, and the family where that differs. Templates of two families may give one name, and their
 * partitions may stand at one sequence; without the family their ids would be equal.
 */
export function collectionIdentity(family: string, collection: string): string {
  return family === collection ? collection : `${family}\n${collection}`;
}

export function clusterEventId(collection: string, epoch: number, generation: string, sequence: bigint, index: number): string {
  return hashId('cluster-event', collection, epoch, generation, sequence, index);
}

/** @param rank place among the clusters minted by one record, by lowest member itemId. */
export function clusterId(collection: string, epoch: number, generation: string, sequence: bigint, rank: number): string {
  return hashId('cluster', collection, epoch, generation, sequence, rank).slice(0, 16);
}

export function generationId(parts: {
  readonly model: string;
  readonly modelVersion: string;
  readonly projectionSha256: string | null;
  readonly metric: string;
  readonly eps: number;
  readonly minPoints: number;
}): string {
  return hashId(
    'generation', parts.model, parts.modelVersion, parts.projectionSha256 ?? '', parts.metric, parts.eps, parts.minPoints,
  ).slice(0, 16);
}

/** Byte order of UTF-8: the order between items everywhere (rule 14). Code point order is the same, UTF-16 order is not. */
export function compareItemIds(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
