/**
 * Loaded with `node --import` in front of the real program: kills its process with SIGKILL in the middle of a chosen file operation, half of
 * a write done. Nothing of the program knows of it; it sits on node:fs/promises.
 *
 * LABELSTREAM_TEST_KILL = `phase:count`: the count-th operation of that phase.
 */
import { writeSync } from 'node:fs';
import fileSystem, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

export const phases = ['append', 'roll', 'commit', 'snapshot'] as const;
export type Phase = (typeof phases)[number];

const [wantedPhase, wantedCount] = (process.env['LABELSTREAM_TEST_KILL'] ?? '').split(':');
let remaining = Number(wantedCount ?? 0);
const segmentsSeen = new Map<string, number>();

/** Which part of the work an operation on this path belongs to. */
function phaseOf(path: string): Phase | undefined {
  if (path.includes('/journal/')) return 'commit';
  if (path.includes('/state/')) return 'snapshot';
  if (path.endsWith('.index')) return 'roll';
  if (path.endsWith('.log')) return (segmentsSeen.get(path) ?? 0) <= 2 && !path.endsWith('/00000000000000000000.log') ? 'roll' : 'append';
  return undefined;
}

function strikes(phase: Phase | undefined): boolean {
  return phase !== undefined && phase === wantedPhase && --remaining === 0;
}

function strike(phase: Phase | undefined, operation: string, path: string): never {
  writeSync(2, `\nKILLED ${phase ?? ''} ${operation} ${path}\n`);
  process.kill(process.pid, 'SIGKILL');
  // The signal is on its way; nothing more may happen until it arrives.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error('unreachable');
}

function watch(handle: FileHandle, path: string): FileHandle {
  const write = handle.write.bind(handle) as (data: Buffer, offset: number, length: number, position: number) => Promise<{ bytesWritten: number; buffer: Buffer }>;
  const datasync = handle.datasync.bind(handle);
  const watchedWrite = async (data: Buffer, offset: number, length: number, position: number) => {
    segmentsSeen.set(path, (segmentsSeen.get(path) ?? 0) + 1);
    if (strikes(phaseOf(path))) {
      await write(data, offset, Math.floor(length / 2), position);
      strike(phaseOf(path), 'half a write', path);
    }
    return write(data, offset, length, position);
  };
  const watchedSync = async (): Promise<void> => {
    if (strikes(phaseOf(path))) strike(phaseOf(path), 'before a synchronisation', path);
    await datasync();
    if (strikes(phaseOf(path))) strike(phaseOf(path), 'after a synchronisation', path);
  };
  return Object.assign(handle, { write: watchedWrite, datasync: watchedSync });
}

if (wantedPhase !== undefined && wantedPhase !== '') {
  const { link, open, rename, rm } = fileSystem;
  fileSystem.open = async (path, ...rest) => watch(await open(path, ...rest), String(path));
  fileSystem.rename = async (from, to) => {
    if (strikes(phaseOf(String(to)))) strike(phaseOf(String(to)), 'before a rename', String(to));
    await rename(from, to);
    if (strikes(phaseOf(String(to)))) strike(phaseOf(String(to)), 'after a rename', String(to));
  };
  fileSystem.link = async (from, to) => {
    if (strikes(phaseOf(String(to)))) strike(phaseOf(String(to)), 'before a link', String(to));
    await link(from, to);
    if (strikes(phaseOf(String(to)))) strike(phaseOf(String(to)), 'after a link', String(to));
  };
  fileSystem.rm = async (path, ...rest) => {
    if (strikes(phaseOf(String(path)))) strike(phaseOf(String(path)), 'before a removal', String(path));
    await rm(path, ...rest);
  };
  syncBuiltinESMExports();
}
