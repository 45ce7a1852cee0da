/** What the stores of snapshots have in common, wherever they keep them: names, what makes a snapshot valid, and how failures are told. */
import { LabelstreamError } from '../core/errors/error.ts';
import { stateError } from '../core/errors/state.ts';
import { corrupt, headerText, parseHeader } from './snapshot-file.ts';
import type { ReadSnapshot, SnapshotHeader, SnapshotKey, StateStore } from './state-store.ts';

/** The newest so many of a partition stay. */
export const snapshotsKept = 3;

const namePattern = /^(\d{20})\.snapshot$/;

export function snapshotName(sequence: bigint): string {
  return `${String(sequence).padStart(20, '0')}.snapshot`;
}

/** Undefined where it is the name of no snapshot. */
export function sequenceInName(name: string): bigint | undefined {
  const digits = namePattern.exec(name)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

/** Of all snapshots of one stage. */
export function stageFolder(stage: string): string {
  return encodeURIComponent(stage);
}

/** Where the snapshots of a partition lie. */
export function partitionFolder({ stage, topic, incarnation, partition }: SnapshotKey): string {
  return `${stageFolder(stage)}/${encodeURIComponent(`${topic}-${incarnation}`)}/${partition}`;
}

/**
 * Whether a name that a store tells is of another incarnation of the topic. (Where a topic's name is another's and a hyphen, those cannot be told
 * apart: no two of ours are.)
 */
export function isOfFormerTopic(name: string, { stage, topic, incarnation }: Omit<SnapshotKey, 'partition'>): boolean {
  const ofTopic = `${stageFolder(stage)}/${encodeURIComponent(`${topic}-`)}`;
  return name.startsWith(ofTopic) && !name.startsWith(`${ofTopic}${encodeURIComponent(incarnation)}/`);
}

/** For sorting. */
export function newestFirst(left: bigint, right: bigint): number {
  return left < right ? 1 : -1;
}

/** What was made of a snapshot that is whole, or the error of whoever was to make it. */
export type Made<Result> = { readonly result: Result } | { readonly error: unknown };

export function madeOf<Result>(made: Made<Result>): Result {
  if ('error' in made) throw made.error;
  return made.result;
}

/**
 * Hands a snapshot to `read`, and reads what it has left of it.
 * @returns `failure`: what reading the file failed with, whether anything was made of it or not.
 * @param frames of its file; fail with LS_STATE_SNAPSHOT_CORRUPT where they are not what was written, as is the outcome where they are not the snapshot of its name.
 */
export async function readSnapshot<Result>(frames: AsyncGenerator<Buffer>, path: string, place: SnapshotPlace, read: ReadSnapshot<Result>): Promise<Made<Result> | { readonly failure: unknown }> {
  let failed: { readonly failure: unknown } | undefined;
  const next = async (): Promise<Buffer | undefined> => {
    try {
      const frame = await frames.next();
      return frame.done === true ? undefined : frame.value;
    } catch (failure) {
      failed = { failure };
      throw failure;
    }
  };
  const chunks = async function* (): AsyncGenerator<Buffer> {
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
  };
  let made: Made<Result>;
  try {
    const header = headerIn(await next(), path, place);
    made = await settled(() => read({ header, chunks: chunks() }));
    while (failed === undefined && (await next()) !== undefined);
  } catch (failure) {
    return { failure };
  } finally {
    await frames.return(undefined);
  }
  return failed ?? made;
}

async function settled<Result>(work: () => Promise<Result>): Promise<Made<Result>> {
  try {
    return { result: await work() };
  } catch (error) {
    return { error };
  }
}

/** Whose the header has to be. */
export type SnapshotPlace = SnapshotKey & Pick<SnapshotHeader, 'sequence'>;

function headerIn(frame: Buffer | undefined, path: string, { stage, topic, incarnation, partition, sequence }: SnapshotPlace): SnapshotHeader {
  if (frame === undefined) throw corrupt(path, 'it has no header');
  const header = parseHeader(frame);
  if (header === undefined || headerText(header) !== headerText({ ...header, stage, topic, incarnation, partition, sequence })) {
    throw corrupt(path, 'its header is not that of its name');
  }
  return header;
}

/** Makes nothing of a snapshot: to know whether it is whole. */
export const readNothing: ReadSnapshot<undefined> = () => Promise.resolve(undefined);

/** All of one that is small. */
export const readWhole: ReadSnapshot<{ readonly header: SnapshotHeader; readonly bytes: Buffer }> = async ({ header, chunks }) => {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return { header, bytes: Buffer.concat(copies) };
};

/** Rejects with LS_STATE_WRITE_FAILED where the store fails, and with what iterating over the chunks throws. */
export function tellingWriteFailures(write: StateStore['write']): StateStore['write'] {
  return async (header, chunks) => {
    let stageFailure: unknown;
    const watched = watch(chunks, (error) => (stageFailure = error));
    try {
      await write(header, watched);
    } catch (cause) {
      if (stageFailure !== undefined && cause === stageFailure) throw cause;
      throw failed('LS_STATE_WRITE_FAILED', `The snapshot of ${placeOf(header)} at ${header.sequence} could not be written`, header, header.sequence, cause);
    }
  };
}

/** Rejects with LS_STATE_DISCARD_FAILED. */
export function tellingDiscardFailures(discardAbove: StateStore['discardAbove']): StateStore['discardAbove'] {
  return (key, sequence) =>
    discardAbove(key, sequence).catch((cause: unknown) => {
      throw failed('LS_STATE_DISCARD_FAILED', `The snapshots of ${placeOf(key)} above ${sequence} could not be removed`, key, sequence, cause);
    });
}

function* watch(chunks: Iterable<Buffer>, failedWith: (error: unknown) => void): Generator<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    failedWith(error);
    throw error;
  }
}

function placeOf({ stage, topic, partition }: SnapshotKey): string {
  return `${stage} for partition ${partition} of ${topic}`;
}

function failed(code: 'LS_STATE_WRITE_FAILED' | 'LS_STATE_DISCARD_FAILED', message: string, { stage, topic, partition }: SnapshotKey, sequence: bigint, cause: unknown): Error {
  const reason = cause instanceof LabelstreamError ? `${cause.message} (${cause.code})` : messageOf(cause);
  return stateError(code, `${message}: ${reason}`, { stage, topic, partition, sequence }, { cause });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
