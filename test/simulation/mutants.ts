/**
 * Logs that leave out one thing that durability rests on, each as a file system between the store and the disk. The power loss test must
 * catch every one of them, or it would not notice if the store left it out.
 */
import type { FileHandle, FileSystem } from '../../src/pipeline/file-system.ts';

export type Mutant = (fileSystem: FileSystem) => FileSystem;

export const mutants: Readonly<Record<string, Mutant>> = {
  'no data synchronisation of segments': withoutDataSync((path) => path.endsWith('.log')),
  'no synchronisation of the journal': withoutDataSync((path) => path.endsWith('.journal')),
  'no directory synchronisation at all': withoutDirectorySync(() => true),
  "no synchronisation of the journal's directory": withoutDirectorySync((path) => path.endsWith('/journal')),
  "no synchronisation of a partition's directory": withoutDirectorySync((path) => /\/\d+$/.test(path)),
  "no synchronisation of a topic's directory": withoutDirectorySync((path) => /\/topics\/[^/]+$/.test(path)),
  'no synchronisation of the directory of topics': withoutDirectorySync((path) => path.endsWith('/topics')),
  "no synchronisation of the log's directory": withoutDirectorySync((path) => path.endsWith('/log')),
  'no synchronisation above the log': withoutDirectorySync((path) => !path.includes('/log')),
  'acknowledge before the synchronisation': (fileSystem) =>
    withHandles(fileSystem, (handle) => ({
      ...handle,
      dataSync: () => {
        void handle.dataSync().catch(() => undefined);
        return Promise.resolve();
      },
    })),
  'the journal names records before they are synchronised': journalBeforeRecords,
  'the old journal is removed before the new one is durable': oldJournalFirst,
  'segments are removed before the journal that says so is synchronised': removalUnsynchronised,
  'a segment that became full within a commit is not synchronised': fullSegmentsUnsynchronised,
  'a failed synchronisation is repeated as if nothing had happened': (fileSystem) =>
    withHandles(fileSystem, (handle) => ({ ...handle, dataSync: () => handle.dataSync().catch(() => handle.dataSync()) })),
};

function withHandles(fileSystem: FileSystem, change: (handle: FileHandle, path: string) => FileHandle): FileSystem {
  return { ...fileSystem, open: async (path, options) => change(await fileSystem.open(path, options), path) };
}

function withoutDataSync(concerned: (path: string) => boolean): Mutant {
  return (fileSystem) => withHandles(fileSystem, (handle, path) => (concerned(path) ? { ...handle, dataSync: () => Promise.resolve() } : handle));
}

function withoutDirectorySync(concerned: (path: string) => boolean): Mutant {
  return (fileSystem) => ({ ...fileSystem, directorySync: (path) => (concerned(path) ? Promise.resolve() : fileSystem.directorySync(path)) });
}

function journalBeforeRecords(fileSystem: FileSystem): FileSystem {
  let owed: (() => Promise<void>)[] = [];
  return withHandles(fileSystem, (handle, path) => ({
    ...handle,
    dataSync: async () => {
      if (path.endsWith('.log')) {
        owed.push(() => handle.dataSync());
        return;
      }
      await handle.dataSync();
      const paid = owed;
      owed = [];
      for (const synchronise of paid) await synchronise();
    },
  }));
}

function fullSegmentsUnsynchronised(fileSystem: FileSystem): FileSystem {
  const newest = new Map<string, string>();
  const created: FileSystem = {
    ...fileSystem,
    open: (path, options) => {
      if (options.create && path.endsWith('.log')) newest.set(path.slice(0, path.lastIndexOf('/')), path);
      return fileSystem.open(path, options);
    },
  };
  return withHandles(created, (handle, path) => ({
    ...handle,
    dataSync: () => ((newest.get(path.slice(0, path.lastIndexOf('/'))) ?? path) === path ? handle.dataSync() : Promise.resolve()),
  }));
}

function oldJournalFirst(fileSystem: FileSystem): FileSystem {
  return {
    ...fileSystem,
    open: async (path, options) => {
      if (options.create && path.endsWith('.journal')) {
        const directory = path.slice(0, path.lastIndexOf('/'));
        for (const name of await fileSystem.list(directory)) await fileSystem.remove(`${directory}/${name}`);
      }
      return fileSystem.open(path, options);
    },
  };
}

function removalUnsynchronised(fileSystem: FileSystem): FileSystem {
  return withHandles(fileSystem, (handle, path) => {
    if (!path.endsWith('.journal')) return handle;
    let removal = false;
    return {
      ...handle,
      write: (data, offset) => {
        removal = data.includes('"removals"');
        return handle.write(data, offset);
      },
      dataSync: () => (removal ? Promise.resolve() : handle.dataSync()),
    };
  });
}
