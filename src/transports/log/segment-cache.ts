/**
 * The open segments. Each partition's active one stays open (pinned); of the closed ones the most recently used do, so that neither file
 * handles nor indexes grow with the log. None is closed while a task uses it.
 */
import type { OpenSegment } from './segment-file.ts';

export type SegmentCache = {
  /** Runs `task` on the segment, opening it first where it is not open. */
  readonly use: <Result>(path: string, open: () => Promise<OpenSegment>, task: (segment: OpenSegment) => Promise<Result>) => Promise<Result>;
  /** Takes over a segment that its caller opened, and keeps it open. */
  readonly pin: (segment: OpenSegment) => void;
  /** From now on it is a closed segment like others. */
  readonly unpin: (path: string) => Promise<void>;
  /** Its file was removed: it is closed as soon as nobody uses it. */
  readonly forget: (path: string) => Promise<void>;
  readonly openCount: () => number;
  /** To be called when no task runs any more. */
  readonly close: () => Promise<void>;
};

type Entry = { readonly opening: Promise<OpenSegment>; users: number; pinned: boolean; forgotten: boolean };

export function createSegmentCache(closedMax: number): SegmentCache {
  // In the order of use: the first is the least recently used.
  const entries = new Map<string, Entry>();

  const touch = (path: string, entry: Entry): void => {
    entries.delete(path);
    entries.set(path, entry);
  };

  const evict = async (): Promise<void> => {
    const closed = [...entries].filter(([, entry]) => !entry.pinned);
    let excess = closed.length - closedMax;
    const evicted: Entry[] = [];
    for (const [path, entry] of closed) {
      if (excess <= 0) break;
      if (entry.users > 0) continue;
      entries.delete(path);
      evicted.push(entry);
      excess -= 1;
    }
    for (const entry of evicted) await closeEntry(entry);
  };

  return {
    use: async (path, open, task) => {
      const entry = entries.get(path) ?? { opening: open(), users: 0, pinned: false, forgotten: false };
      touch(path, entry);
      entry.users += 1;
      try {
        return await task(await opened(entries, path, entry));
      } finally {
        entry.users -= 1;
        if (entry.forgotten && entry.users === 0) await closeEntry(entry);
        await evict();
      }
    },
    pin: (segment) => touch(segment.path, { opening: Promise.resolve(segment), users: 0, pinned: true, forgotten: false }),
    unpin: async (path) => {
      const entry = entries.get(path);
      if (entry !== undefined) entry.pinned = false;
      await evict();
    },
    forget: async (path) => {
      const entry = entries.get(path);
      if (entry === undefined) return;
      entries.delete(path);
      entry.forgotten = true;
      if (entry.users === 0) await closeEntry(entry);
    },
    openCount: () => entries.size,
    close: async () => {
      const open = [...entries.values()];
      entries.clear();
      for (const entry of open) await closeEntry(entry);
    },
  };
}

/** A segment that could not be opened is tried again by the next user. */
async function opened(entries: Map<string, Entry>, path: string, entry: Entry): Promise<OpenSegment> {
  try {
    return await entry.opening;
  } catch (error) {
    if (entries.get(path) === entry) entries.delete(path);
    throw error;
  }
}

/** What was written was synchronised before, so that a failure to close loses nothing; what could not be opened needs no closing. */
async function closeEntry(entry: Entry): Promise<void> {
  await entry.opening.then(({ handle }) => handle.close()).catch(() => undefined);
}
