/**
 * From the files to a log that can be written: the journal says what is committed, everything beyond it is removed (it was never
 * acknowledged), everything below it must be there. Any step may be cut off by a crash and simply happens again at the next opening.
 */
import { basename, dirname, join } from 'node:path';
import { LabelstreamError } from '../../core/errors/error.ts';
import { logError } from '../../core/errors/log.ts';
import type { FileSystem } from '../../pipeline/file-system.ts';
import { corruptFile, numberInName } from './file-header.ts';
import { recoverJournal, startJournal, type Journal } from './journal.ts';
import { emptyLogState, startSequenceOf, topicDirectory, type LogState, type PartitionState, type TopicState } from './log-state.ts';
import { indexExtension, openSegmentFile, scanIndex, segmentExtension, segmentPath, type OpenSegment, type SegmentPaths } from './segment-file.ts';

/** What opening removed: bytes that no commit vouched for. */
export type TailCut = { readonly file: string; readonly bytes: number };

export type RecoveredLog = { readonly state: LogState; readonly journal: Journal };

export type RecoveryOptions = SegmentPaths & {
  readonly journalBytes: number;
  readonly activeOpened: (partition: PartitionState, active: OpenSegment) => void;
  readonly tailCut: (cut: TailCut) => void;
};

/** Rejects with LS_LOG_FAILED where the disk refused to write, and with the error of the disk where it refused anything else. */
export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  const { fileSystem, directory } = options;
  const journalDirectory = join(directory, 'journal');
  await writing(async () => {
    await fileSystem.makeDirectory(journalDirectory);
    await syncUpwards(fileSystem, directory);
  });
  const journalOptions = { fileSystem, directory: journalDirectory, journalBytes: options.journalBytes };
  const recovered = await recoverJournal(journalOptions);
  if (recovered.cut !== undefined) options.tailCut(recovered.cut);
  if (recovered.state === undefined) await requireNoTopics(options, journalDirectory);
  const state = recovered.state ?? emptyLogState();
  for (const topic of state.topics.values()) await recoverTopic(options, topic);
  await removeFormerTopics(options, state);
  return { state, journal: await writing(() => startJournal(journalOptions, recovered, state)) };
}

/** What the disk answers where this user or this mount may not write: neither is mended by space. */
const refusedToUser: readonly unknown[] = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'];

/** Nothing of a transaction is under way while a log is opened. */
async function writing<Result>(write: () => Promise<Result>): Promise<Result> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof LabelstreamError || !(error instanceof Error) || ('code' in error && refusedToUser.includes(error.code))) throw error;
    throw logError('LS_LOG_FAILED', `The log was not opened, because writing failed: ${error.message}`, { outcome: 'not-committed' }, { cause: error });
  }
}

/**
 * Makes the directory's own entry durable, and that of each directory above: any of them may have been made just now, or just before a
 * crash. One that this user may not open was not made by this user.
 */
async function syncUpwards(fileSystem: FileSystem, directory: string): Promise<void> {
  await fileSystem.directorySync(directory);
  for (let current = directory; dirname(current) !== current; current = dirname(current)) {
    try {
      await fileSystem.directorySync(dirname(current));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM'))) throw error;
      return;
    }
  }
}

/** The journal is durable before the first topic's directory is made: topics without a journal mean that it was lost. */
async function requireNoTopics(options: RecoveryOptions, journalDirectory: string): Promise<void> {
  const topics = await options.fileSystem.list(join(options.directory, 'topics'));
  if (topics.length > 0) throw corruptFile(journalDirectory, 0, 'there are topics, but no journal that says what is committed');
}

async function recoverTopic(options: RecoveryOptions, topic: TopicState): Promise<void> {
  const directory = join(options.directory, topicDirectory(topic.description));
  const names = new Set(await options.fileSystem.list(directory));
  for (const partition of topic.partitions) {
    if (!names.has(String(partition.partition))) throw corruptFile(join(options.directory, partition.directory), 0, 'this partition is gone');
    await recoverPartition(options, partition);
  }
}

/** Segments of topics that are in no journal any more: others took their place. Their directories stay, empty; what is not ours stays as well. */
async function removeFormerTopics({ fileSystem, directory }: RecoveryOptions, { topics }: LogState): Promise<void> {
  const present = new Set([...topics.values()].map(({ description }) => basename(topicDirectory(description))));
  const parent = join(directory, 'topics');
  for (const name of await fileSystem.list(parent)) {
    if (present.has(name)) continue;
    for (const partition of await listed(fileSystem, join(parent, name))) {
      if (!/^\d+$/.test(partition)) continue;
      for (const file of await listed(fileSystem, join(parent, name, partition))) {
        const isOurs = (numberInName(file, segmentExtension) ?? numberInName(file, indexExtension)) !== undefined;
        if (isOurs) await writing(() => fileSystem.remove(join(parent, name, partition, file)));
      }
    }
  }
}

/** Nothing where it is no directory. */
async function listed(fileSystem: FileSystem, directory: string): Promise<readonly string[]> {
  try {
    return await fileSystem.list(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return [];
    throw error;
  }
}

async function recoverPartition(options: RecoveryOptions, partition: PartitionState): Promise<void> {
  const directory = join(options.directory, partition.directory);
  const names = new Set(await options.fileSystem.list(directory));
  const startSequence = startSequenceOf(partition);
  const begins = new Set(partition.segments.map((segment) => segment.baseSequence));
  for (const name of names) {
    const baseSequence = numberInName(name, segmentExtension);
    const indexed = numberInName(name, indexExtension);
    // Removed by retention, as the journal says, but for the file; or the index of a segment that there is not.
    const leftOver = (baseSequence ?? startSequence) < startSequence || (indexed !== undefined && !begins.has(indexed));
    if (leftOver) await writing(() => options.fileSystem.remove(join(directory, name)));
    if (baseSequence !== undefined && baseSequence >= partition.nextSequence) {
      // Begun by a commit that did not get through. Files with other names are not ours.
      await removeSegment(options, join(directory, name));
    }
  }
  for (const segment of partition.segments) {
    const path = segmentPath(options, partition, segment.baseSequence);
    if (!names.has(path.slice(directory.length + 1))) throw corruptFile(path, 0, 'the file is gone, but records were committed to it');
  }
  await recoverActive(options, partition);
}

async function removeSegment(options: RecoveryOptions, path: string): Promise<void> {
  const handle = await options.fileSystem.open(path, { create: false });
  const bytes = await handle.size().finally(() => handle.close());
  await writing(() => options.fileSystem.remove(path));
  options.tailCut({ file: path, bytes });
}

async function recoverActive(options: RecoveryOptions, partition: PartitionState): Promise<void> {
  const segment = partition.segments.at(-1);
  if (segment === undefined) return;
  const path = segmentPath(options, partition, segment.baseSequence);
  const handle = await openSegmentFile(options.fileSystem, path, segment);
  try {
    const excess = (await handle.size()) - segment.lengthBytes;
    if (excess > 0) {
      await writing(() => handle.truncate(segment.lengthBytes));
      options.tailCut({ file: path, bytes: excess });
    }
    const index = await scanIndex({ path, handle }, segment, partition.nextSequence);
    options.activeOpened(partition, { path, handle, index });
  } catch (error) {
    await handle.close();
    throw error;
  }
}
