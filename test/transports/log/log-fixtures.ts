/** What the tests of the log on disk and over its socket share. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import type { OpenLogOptions } from '../../../src/transports/log/open-log.ts';
import { defaultLogLimits, type SegmentLogStoreOptions } from '../../../src/transports/log/segment-log-store.ts';

/** Short, because the path of a socket in it may not be long. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ls-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export function storeOptions(directory: string): SegmentLogStoreOptions {
  return { directory, fileSystem: createNodeFileSystem(), clock: systemClock, newIncarnation: randomUUID, limits: defaultLogLimits };
}

export function logOptions(directory: string, role: OpenLogOptions['role']): OpenLogOptions {
  return { ...storeOptions(directory), role, random: Math.random };
}
