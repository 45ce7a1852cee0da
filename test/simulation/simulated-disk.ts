/**
 * A disk that keeps no more than it promised.
 *
 * What programs see (`content`, `entries`) is the page cache; what is on the platter (`durable`) trails behind it by the operations not yet
 * synchronised (`pending`). A loss of power keeps what was synchronised, and of each pending operation nothing, all, or a torn part, whichever
 * chance says, independently of all others: between files, within a file, and among the entries of a directory. A file that lost its writes
 * may keep its size, filled with zeros. A new file or directory whose entry is lost is gone with all that was synchronised in it.
 *
 * A data synchronisation that is made to fail drops pages as Linux does: some of the pending writes reach the platter, the others never will,
 * though the page cache goes on showing them and the next synchronisation succeeds.
 *
 * Every operation takes a random number of turns, so that concurrent ones interleave in every order.
 */
import type { FileHandle, FileSystem } from '../../src/pipeline/file-system.ts';

export type DiskOperation = {
  readonly kind: 'open' | 'create' | 'read' | 'write' | 'truncate' | 'size' | 'data-sync' | 'list' | 'make-directory' | 'rename' | 'remove' | 'directory-sync';
  readonly path: string;
  /** Of a write. */
  readonly offset?: number;
};

type DiskHooks = {
  /** Called as an operation begins and, when it was done, before its caller hears of it. May cut the power, or answer with an error for the caller. */
  readonly operation: (operation: DiskOperation, phase: 'begin' | 'end') => Error | undefined;
};

export type SimulatedDisk = {
  /** The file system as one process sees it. The one handed out before is dead. */
  readonly startProcess: (hooks: DiskHooks) => FileSystem;
  /** The running process ends where it stands; the page cache lives on. */
  readonly killProcess: () => void;
  readonly losePower: () => void;
};

type FileNode = { readonly kind: 'file'; content: Buffer; durable: Buffer; pending: DataChange[] };
type DirectoryNode = { readonly kind: 'directory'; entries: Map<string, Node>; durable: Map<string, Node>; pending: EntryChange[] };
type Node = FileNode | DirectoryNode;
type DataChange = { readonly kind: 'write'; readonly offset: number; readonly data: Buffer } | { readonly kind: 'truncate'; readonly length: number };
type EntryChange = { readonly remove?: string; readonly add?: { readonly name: string; readonly node: Node } };

type Process = { alive: boolean; readonly hooks: DiskHooks };
type Chance = () => number;

export function createSimulatedDisk(random: Chance): SimulatedDisk {
  const root = newDirectory();
  let running: Process | undefined;
  const killProcess = (): void => {
    if (running !== undefined) running.alive = false;
  };
  return {
    startProcess: (hooks) => {
      killProcess();
      running = { alive: true, hooks };
      return fileSystemOf(root, running, random);
    },
    killProcess,
    losePower: () => {
      killProcess();
      // Each loss has its own mood, so that "everything was lost" and "nothing was" are as common as the mixtures.
      const keepChance = [0, 0.2, 0.5, 0.8, 1][Math.floor(random() * 5)] ?? 0;
      settleDirectory(root, keepChance, random);
    },
  };
}

function newDirectory(): DirectoryNode {
  return { kind: 'directory', entries: new Map(), durable: new Map(), pending: [] };
}

function settleDirectory(directory: DirectoryNode, keepChance: number, random: Chance): void {
  for (const change of directory.pending) if (random() < keepChance) changeEntries(directory.durable, change);
  directory.pending = [];
  directory.entries = new Map(directory.durable);
  for (const node of directory.entries.values()) {
    if (node.kind === 'directory') settleDirectory(node, keepChance, random);
    else settleFile(node, keepChance, random);
  }
}

function settleFile(file: FileNode, keepChance: number, random: Chance): void {
  let settled = file.durable;
  for (const change of file.pending) {
    if (random() < keepChance) settled = changeData(settled, change);
    else if (random() < 0.5) settled = changeData(settled, tear(change, random));
  }
  if (settled.length < file.content.length && random() < 0.3) settled = changeData(settled, { kind: 'truncate', length: file.content.length });
  file.pending = [];
  file.durable = settled;
  file.content = settled;
}

/** A part of a write: its beginning, or (a later sector first) its end. */
function tear(change: DataChange, random: Chance): DataChange {
  if (change.kind === 'truncate') return { kind: 'write', offset: 0, data: Buffer.alloc(0) };
  const cut = Math.floor(random() * change.data.length);
  if (random() < 0.7) return { ...change, data: change.data.subarray(0, cut) };
  return { ...change, offset: change.offset + cut, data: change.data.subarray(cut) };
}

function changeData(data: Buffer, change: DataChange): Buffer {
  const length = change.kind === 'truncate' ? change.length : Math.max(data.length, change.data.length === 0 ? 0 : change.offset + change.data.length);
  const changed = Buffer.alloc(length);
  data.copy(changed, 0, 0, length);
  if (change.kind === 'write') change.data.copy(changed, change.offset);
  return changed;
}

function changeEntries(entries: Map<string, Node>, change: EntryChange): void {
  if (change.remove !== undefined) entries.delete(change.remove);
  if (change.add !== undefined) entries.set(change.add.name, change.add.node);
}

function fileSystemOf(root: DirectoryNode, process: Process, random: Chance): FileSystem {
  const check = (operation: DiskOperation, phase: 'begin' | 'end'): Error | undefined => {
    const fault = process.alive ? process.hooks.operation(operation, phase) : undefined;
    // The hook may have cut the power.
    if (!process.alive) throw new Error('the process is dead');
    return fault;
  };
  const run = async <Result>(operation: DiskOperation, effect: () => Result, failed: () => void = () => undefined): Promise<Result> => {
    await turns(random);
    const fault = check(operation, 'begin');
    if (fault !== undefined) {
      failed();
      throw fault;
    }
    const result = effect();
    await turns(random);
    const lateFault = check(operation, 'end');
    if (lateFault !== undefined) throw lateFault;
    return result;
  };
  const change = (directory: DirectoryNode, entryChange: EntryChange): void => {
    changeEntries(directory.entries, entryChange);
    directory.pending.push(entryChange);
  };
  return {
    open: (path, { create }) =>
      run({ kind: create ? 'create' : 'open', path }, () => {
        const { parent, name } = locate(root, path);
        let node = parent.entries.get(name);
        if (node === undefined) {
          if (!create) throw systemError('ENOENT', path);
          node = { kind: 'file', content: Buffer.alloc(0), durable: Buffer.alloc(0), pending: [] };
          change(parent, { add: { name, node } });
        }
        if (node.kind === 'directory') throw systemError('EISDIR', path);
        return handleOf(node, path, run, random);
      }),
    list: (directory) =>
      run({ kind: 'list', path: directory }, () => {
        const node = find(root, directory);
        return node?.kind === 'directory' ? [...node.entries.keys()].sort() : [];
      }),
    makeDirectory: (directory) =>
      run({ kind: 'make-directory', path: directory }, () => {
        let current = root;
        for (const name of names(directory)) {
          let next = current.entries.get(name);
          if (next === undefined) {
            next = newDirectory();
            change(current, { add: { name, node: next } });
          }
          if (next.kind !== 'directory') throw systemError('ENOTDIR', directory);
          current = next;
        }
      }),
    rename: (from, to) =>
      run({ kind: 'rename', path: from }, () => {
        const source = locate(root, from);
        const target = locate(root, to);
        const node = source.parent.entries.get(source.name);
        if (node === undefined) throw systemError('ENOENT', from);
        if (source.parent !== target.parent) throw new Error('the simulation renames within one directory only');
        if (target.parent.entries.has(target.name)) throw systemError('EEXIST', to);
        change(source.parent, { remove: source.name, add: { name: target.name, node } });
      }),
    remove: (path) =>
      run({ kind: 'remove', path }, () => {
        const { parent, name } = locate(root, path);
        if (parent.entries.get(name)?.kind !== 'file') throw systemError('ENOENT', path);
        change(parent, { remove: name });
      }),
    directorySync: (directory) => {
      const node = find(root, directory);
      const synchronised = node?.kind === 'directory' ? node.pending.length : 0;
      return run({ kind: 'directory-sync', path: directory }, () => {
        if (node?.kind !== 'directory') throw systemError('ENOENT', directory);
        for (const entryChange of node.pending.splice(0, synchronised)) changeEntries(node.durable, entryChange);
      });
    },
  };
}

type Run = <Result>(operation: DiskOperation, effect: () => Result, failed?: () => void) => Promise<Result>;

function handleOf(file: FileNode, path: string, run: Run, random: Chance): FileHandle {
  let open = true;
  const requireOpen = (): void => {
    if (!open) throw systemError('EBADF', path);
  };
  const change = (dataChange: DataChange): void => {
    requireOpen();
    file.content = changeData(file.content, dataChange);
    file.pending.push(dataChange);
  };
  return {
    write: (data, offset) => {
      const copy = Buffer.from(data);
      const whole: DataChange = { kind: 'write', offset, data: copy };
      return run(
        { kind: 'write', path, offset },
        () => change(whole),
        () => change(tear(whole, random)),
      );
    },
    read: (offset, length) =>
      run({ kind: 'read', path }, () => {
        requireOpen();
        return Buffer.from(file.content.subarray(offset, offset + length));
      }),
    dataSync: () => {
      // What is written while it runs is not promised.
      const promised = file.pending.length;
      return run(
        { kind: 'data-sync', path },
        () => {
          requireOpen();
          for (const dataChange of file.pending.splice(0, promised)) file.durable = changeData(file.durable, dataChange);
        },
        () => {
          for (const dataChange of file.pending.splice(0)) if (random() < 0.5) file.durable = changeData(file.durable, dataChange);
        },
      );
    },
    truncate: (length) => run({ kind: 'truncate', path }, () => change({ kind: 'truncate', length })),
    size: () => run({ kind: 'size', path }, () => file.content.length),
    close: () =>
      run({ kind: 'size', path }, () => {
        open = false;
      }),
  };
}

async function turns(random: Chance): Promise<void> {
  for (let count = Math.floor(random() * 4); count > 0; count -= 1) await Promise.resolve();
}

function names(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '');
}

function find(root: DirectoryNode, path: string): Node | undefined {
  let node: Node | undefined = root;
  for (const name of names(path)) node = node?.kind === 'directory' ? node.entries.get(name) : undefined;
  return node;
}

function locate(root: DirectoryNode, path: string): { readonly parent: DirectoryNode; readonly name: string } {
  const parts = names(path);
  const parent = find(root, parts.slice(0, -1).join('/'));
  if (parent?.kind !== 'directory') throw systemError('ENOENT', path);
  return { parent, name: parts.at(-1) ?? '' };
}

export function systemError(code: 'EEXIST' | 'ENOENT' | 'EISDIR' | 'ENOTDIR' | 'EBADF' | 'EIO' | 'ENOSPC', path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
