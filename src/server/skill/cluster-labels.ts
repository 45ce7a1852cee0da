/** A file of labels by cluster, as custom skills have it: an object by cluster, or a list whose places are numbers of clusters, with a label or a list of them each. */
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';

/** By what the file calls a cluster: its id, its name, or the number that was its name when it was imported. */
export type ClusterLabels = ReadonlyMap<string, readonly string[]>;

const entry = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);
const file = z.union([z.record(z.string(), entry), z.array(entry)]);

const pickleMark = 0x80;

/** Throws LS_SERVER_LABELS. */
export function parseClusterLabels(bytes: Uint8Array): ClusterLabels {
  if (bytes[0] === pickleMark) throw malformed('it is a pickle, which is not read, because reading one runs what is in it: write its labels as JSON');
  const parsed = file.safeParse(jsonIn(bytes));
  if (!parsed.success) throw malformed('it is no object and no list with a label, or a list of labels, for each cluster');
  return new Map(Object.entries(parsed.data).map(([cluster, labels]) => [cluster, [labels].flat()]));
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw malformed('it is not JSON', { cause: error });
  }
}

function malformed(what: string, options?: ErrorOptions): Error {
  return serverError('LS_SERVER_LABELS', `the file of labels cannot be taken: ${what}`, {}, options);
}
