/** How many cores this process may really use: what the operating system schedules it on, and what its container allows. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { posix } from 'node:path';

export type ReadText = (path: string) => Promise<string>;

/** The default number of inference workers: more than two gained nothing where it was measured, and the main loop needs room too. */
export async function defaultWorkerCount(): Promise<number> {
  return Math.min(await usableCores(), 2);
}

/** At least 1, whole: a container with 1.5 cores counts as 1. Read once, at start-up. */
export async function usableCores(
  readText: ReadText = (path) => readFile(path, 'utf8'),
  schedulableCores: number = availableParallelism(),
): Promise<number> {
  let cores = schedulableCores;
  for (const group of await ownControlGroups(readText)) {
    const limit = coresOf(await readIfThere(readText, posix.join('/sys/fs/cgroup', group, 'cpu.max')));
    cores = Math.min(cores, limit ?? cores);
  }
  return Math.max(1, Math.floor(cores));
}

/** This process's cgroup (version 2) and all above it: the tightest of them holds. In a container the own one often is the root. */
async function ownControlGroups(readText: ReadText): Promise<string[]> {
  const listed = await readIfThere(readText, '/proc/self/cgroup');
  const own = /^0::(\/.*)$/m.exec(listed)?.[1] ?? '/';
  const groups = [own];
  for (let group = own; group !== '/' && group !== '.'; ) {
    group = posix.dirname(group);
    groups.push(group);
  }
  return groups;
}

/** `cpu.max` is "QUOTA PERIOD" in microseconds, or "max PERIOD". */
function coresOf(cpuMax: string): number | undefined {
  const [quota, period] = cpuMax.trim().split(/\s+/).map(Number);
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : undefined;
}

/** Empty where there is no such file: no cgroups, or not of version 2. */
async function readIfThere(readText: ReadText, path: string): Promise<string> {
  try {
    return await readText(path);
  } catch {
    return '';
  }
}
