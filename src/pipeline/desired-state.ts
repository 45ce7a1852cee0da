/**
 * What operators want of all instances that share a state store, beyond what the configuration says: a small document beside the snapshots, written
 * anew with every change, the next version under the next sequence. Every instance looks at it again and again.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { stateError } from '../core/errors/state.ts';
import { unlessAborted } from './abort.ts';
import type { SnapshotKey, StateStore } from './state-store.ts';
import { readWhole } from './stored-snapshots.ts';

export type DesiredState = {
  /** Rises with every change; 0 where there never was one. */
  readonly version: bigint;
  /** Topics that EXTRACT does not read. */
  readonly pausedInputs: readonly string[];
  /** That are not loaded until somebody asks something of them. */
  readonly unloadedModels: readonly string[];
};

type Lists = Omit<DesiredState, 'version'>;

type Store = Pick<StateStore, 'list' | 'readNewest' | 'write'>;

const nothingDesired: DesiredState = { version: 0n, pausedInputs: [], unloadedModels: [] };

/** Two who change it at the same moment try again; more often than so, something else is wrong. */
const attemptsMax = 10;

/** @param group of the configuration. One that cannot be read is passed over for the one before, as snapshots are. */
export async function readDesiredState(stateStore: Store, group: string): Promise<DesiredState> {
  const key = keyOf(group);
  const [newest] = await stateStore.list(key);
  if (newest === undefined) return nothingDesired;
  return (await stateStore.readNewest(key, newest, readWhole).then((note) => note && parsed(note.header.sequence, note.bytes))) ?? nothingDesired;
}

/**
 * Durable when it resolves, with what is wanted from here on. What changes nothing is not written.
 * Rejects with LS_STATE_DESIRED_CONFLICT, and with what the store rejects with.
 */
export async function changeDesiredState(stateStore: Store, group: string, change: (state: Lists) => Lists): Promise<DesiredState> {
  const key = keyOf(group);
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const [newest = 0n] = await stateStore.list(key);
    const { version, ...before } = await readDesiredState(stateStore, group);
    const { pausedInputs, unloadedModels } = change(before);
    const wanted = { pausedInputs: [...new Set(pausedInputs)].sort(), unloadedModels: [...new Set(unloadedModels)].sort() };
    if (JSON.stringify(wanted) === JSON.stringify(before)) return { version, ...before };
    const writer = randomUUID();
    const sequence = newest + 1n;
    await stateStore.write({ ...key, sequence, position: '' }, [Buffer.from(JSON.stringify({ ...wanted, writer }))]);
    // Where another one wrote the same version at the same time, one of the two is there.
    const written = await stateStore.readNewest(key, sequence, readWhole);
    if (written?.header.sequence === sequence && (JSON.parse(written.bytes.toString()) as { readonly writer: string }).writer === writer) return { version: sequence, ...wanted };
  }
  throw stateError('LS_STATE_DESIRED_CONFLICT', 'What operators want was changed by others again and again meanwhile.');
}

function keyOf(group: string): SnapshotKey {
  return { stage: `${group}.desired-state`, topic: 'operators', incarnation: 'current', partition: 0 };
}

function parsed(version: bigint, bytes: Buffer): DesiredState {
  // The store has checked them, and only `changeDesiredState` writes them.
  const { pausedInputs, unloadedModels } = JSON.parse(bytes.toString()) as Lists;
  return { version, pausedInputs, unloadedModels };
}

export type DesiredStateFollower = {
  /** As `changed` was last told. */
  readonly current: () => DesiredState;
  /** As `changeDesiredState`; this process has been told of it when it resolves. */
  readonly change: (change: (state: Lists) => Lists) => Promise<DesiredState>;
  readonly stop: () => Promise<void>;
};

export type FollowOptions = {
  readonly stateStore: Store;
  readonly group: string;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Also of what is there at first, before `followDesiredState` resolves. Must not throw. */
  readonly changed: (state: DesiredState, before: DesiredState) => void;
  /** The store could not be asked: what was wanted before counts on. */
  readonly failed: (error: unknown) => void;
};

const lookEveryMs = 1_000;

/** Rejects where the store cannot be read at first: nothing may be read of an input that was paused. */
export async function followDesiredState({ stateStore, group, clock, changed, failed }: FollowOptions): Promise<DesiredStateFollower> {
  const stopping = new AbortController();
  let current = nothingDesired;
  const note = (state: DesiredState): void => {
    // A look that began before a change here may end after it.
    if (state.version <= current.version) return;
    const before = current;
    current = state;
    changed(state, before);
  };
  note(await readDesiredState(stateStore, group));
  const isStopped = (): boolean => stopping.signal.aborted;
  const look = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(lookEveryMs, stopping.signal);
      if (isStopped()) return;
      try {
        const [newest = 0n] = await stateStore.list(keyOf(group), stopping.signal);
        if (newest > current.version) note(await readDesiredState(stateStore, group));
      } catch (error) {
        if (!isStopped()) failed(error);
      }
    }
  };
  const looking = look();
  // One after the other: those of one process do not meet.
  let last: Promise<unknown> = Promise.resolve();
  return {
    current: () => current,
    change: (change) => {
      const done = last.then(async () => {
        note(await changeDesiredState(stateStore, group, change));
        return current;
      });
      last = done.catch(() => undefined);
      return done;
    },
    stop: async () => {
      stopping.abort();
      await unlessAborted(looking, AbortSignal.timeout(500));
    },
  };
}
