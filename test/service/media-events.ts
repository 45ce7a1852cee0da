/** Media events for the real program, and the memory that it takes for them. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { openCodec } from '../../src/codec/codec.ts';
import type { MediaEvent, Reference } from '../../src/core/events.generated.ts';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { withLog } from '../cli/fixtures.ts';
import { startProgram } from './program.ts';

/** `code` of its dead letter; undefined where it is labelled. */
export type Published = { readonly event: MediaEvent; readonly code: string | undefined };

export function mediaEvent(id: string, contentType: string, content: MediaEvent['content']): MediaEvent {
  return { id, source: 's', occurredAt: 0, contentType, content, tasks: [], collection: null, attributes: {}, deleted: false };
}

export async function referenceTo(path: string, bytes: Buffer, fields: Partial<Reference> = {}): Promise<Reference> {
  await writeFile(path, bytes);
  return { uri: pathToFileURL(path).href, sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: BigInt(bytes.length), ...fields };
}

/** In one transaction, two by two in turn to two partitions. */
export async function publishMedia(file: string, events: readonly MediaEvent[]): Promise<void> {
  const codec = await openCodec();
  const records = events.map((event, index): OutputRecord => ({
    topic: topics.media, partition: (index >> 1) % 2, key: Buffer.from(event.id), value: codec.encode('MediaEvent', event), headers: noHeaders,
  }));
  await withLog(file, ({ transport }) => transport.append(records));
}

/** The largest resident set that the process has had so far. */
async function peakBytes(pid: number): Promise<number> {
  return Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

type Watched = { readonly code: number | null; readonly stderr: string; readonly residentBytes: number };

export async function runWatched(file: string, environment: Readonly<Record<string, string>> = {}): Promise<Watched> {
  const run = startProgram(['run', '-c', file, '--until-idle'], environment);
  let residentBytes = 0;
  const ended = run.finished.then(() => true);
  for (;;) {
    residentBytes = Math.max(residentBytes, await peakBytes(run.pid ?? 0).catch(() => 0));
    if (await Promise.race([ended, new Promise<false>((resolve) => setTimeout(() => resolve(false), 20))])) break;
  }
  return { ...(await run.finished), residentBytes };
}
