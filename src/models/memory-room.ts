/**
 * Makes room for a model within the memory that models may take: the least recently used of those that are idle are unloaded. A model that has
 * something to do is left alone, but not for ever: where none becomes idle in a while, the least recently used finishes what waits for it, and
 * is unloaded then, or who never rests would keep everybody else out. It comes back as soon as it is asked for; models that take turns like that
 * are seen in the counters of loads and evictions.
 */
import type { Clock } from '../core/clock.ts';
import { modelError } from '../core/errors/model.ts';
import type { Notice } from './notice.ts';
import { isIdle, type ServedModel } from './served-model.ts';

export type MemoryRoom = {
  /** Resolves when there is room for so much more. Rejects with LS_MODEL_MEMORY where unloading all others would not make it. */
  readonly make: (memoryBytes: number, asker: ServedModel) => Promise<void>;
};

export type MemoryRoomOptions = {
  readonly served: ReadonlyMap<string, ServedModel>;
  readonly clock: Clock;
  readonly memoryBytesMax?: number | undefined;
  /** Told whenever a model may have become idle. */
  readonly notice: Pick<Notice, 'next'>;
  readonly evict: (victim: ServedModel) => Promise<void>;
};

/** How long an idle model is waited for. */
const idleWaitMsMax = 1_000;

export function createMemoryRoom({ served, clock, memoryBytesMax = Number.POSITIVE_INFINITY, notice, evict }: MemoryRoomOptions): MemoryRoom {
  const lacks = (memoryBytes: number): boolean => takenBytes(served.values()) + memoryBytes > memoryBytesMax;
  return {
    make: async (memoryBytes, asker) => {
      if (memoryBytes + takenBytes([asker]) > memoryBytesMax) throw noRoom(memoryBytes, asker, memoryBytesMax);
      let sinceMs = clock.elapsedMs();
      while (lacks(memoryBytes)) {
        const loaded = [...served.values()].filter((model) => model !== asker && model.lifecycle.state === 'ready');
        const leftMs = sinceMs + idleWaitMsMax - clock.elapsedMs();
        const victim = leastRecentlyUsed(loaded.filter(isIdle)) ?? (leftMs <= 0 ? leastRecentlyUsed(loaded) : undefined);
        if (victim === undefined) await eitherOf(notice.next(), clock, leftMs);
        else {
          await evict(victim);
          sinceMs = clock.elapsedMs();
        }
      }
    },
  };
}

async function eitherOf(change: Promise<void>, clock: Clock, waitMs: number): Promise<void> {
  const changed = new AbortController();
  await Promise.race([change, clock.sleep(Math.max(1, waitMs), changed.signal)]);
  changed.abort();
}

function takenBytes(models: Iterable<ServedModel>): number {
  let bytes = 0;
  for (const { lifecycle } of models) if (lifecycle.state === 'ready' || lifecycle.state === 'unloading') bytes += lifecycle.instance.memoryBytes;
  return bytes;
}

function leastRecentlyUsed(models: readonly ServedModel[]): ServedModel | undefined {
  return models.reduce<ServedModel | undefined>((least, model) => (least === undefined || model.usedAtMs < least.usedAtMs ? model : least), undefined);
}

function noRoom(memoryBytes: number, { binding: { name } }: ServedModel, memoryBytesMax: number): Error {
  const message = `the model ${name} cannot be reloaded: the new one takes about ${memoryBytes} bytes beside the old one, and inference.memoryBytesMax is ${memoryBytesMax}`;
  return modelError('LS_MODEL_MEMORY', message, { model: name, memoryBytes, memoryBytesMax });
}
