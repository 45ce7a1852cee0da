/**
 * What the process that folds a partition does for its generations beside the fold: it has the projections in force at hand before a record is folded,
 * builds what is pending in the background where it is the owner, and brings a build to its end before the record that swaps it in (SEMANTICS.md,
 * rule 16). A replay, and a follower, begin to build when they meet that record.
 */
import type { DecodedEvent } from '../../codec/event-names.ts';
import type { Clock } from '../../core/clock.ts';
import type { ControlEvent } from '../../core/events.generated.ts';
import { unlessAborted } from '../../pipeline/abort.ts';
import { buildGeneration } from './background-build.ts';
import { watchGenerations, type GenerationNews } from './generation-news.ts';
import { isPending, namesItsArtefact } from './generations.ts';
import { isOutdated } from './owner-terms.ts';
import { sortedByKey, type FamilyState, type GenerationBuild, type PartitionState, type PendingGeneration } from './state.ts';

export type GenerationObserver = {
  /** A record has asked for a generation, has begun to build it, or has put it in force. */
  readonly generationChanged?: (news: GenerationNews) => void;
  /** The owner cannot build what is pending, and goes on without. @param againMs after which it tries again; undefined: when it is opened anew. */
  readonly generationFailed?: (family: string, error: unknown, againMs: number | undefined) => void;
  /** No item of the family can be in what is pending, this one for example: it is not swapped in until one can. */
  readonly generationHeldUp?: (family: string, itemId: string) => void;
};

export type OwnGenerationRecord = { readonly family: string; readonly action: ControlEvent['action']; readonly generation: string };

export type GenerationWork = {
  /**
   * Before the record is folded. Rejects with what keeps a projection from being fetched or a generation from being built: the partition stops.
   * @param event of the record, needed while something is pending.
   * @returns false where `stopping` aborted first.
   */
  readonly beforeRecord: (event: DecodedEvent | undefined, stopping: AbortSignal | undefined) => Promise<boolean>;
  /** After it: what this process has announced, and the log has, begins. */
  readonly afterRecord: (event: DecodedEvent | undefined) => void;
  /** The record that the owner has to append: `refit` when it is about to begin, `swap` when it is ready. */
  readonly due: () => OwnGenerationRecord | undefined;
  /** Something is pending, and nothing is known that would keep it from being swapped in. */
  readonly isBuilding: () => boolean;
  /** Nobody folds for now: what is being built is given up. Where the partition is folded again, it is announced and begun anew. */
  readonly rest: () => void;
  /** Called when `due` may have become another. */
  readonly watch: (listener: () => void) => void;
};

const [againMsMin, againMsMax] = [1000, 300_000];

type GenerationWorkOptions = {
  readonly observer: GenerationObserver;
  /** That a failed build waits by before it is tried again; without one it is not. */
  readonly clock?: Pick<Clock, 'sleep'> | undefined;
  readonly collectionBytesMax?: number | undefined;
};

export function createGenerationWork(state: PartitionState, { observer, clock, collectionBytesMax = Infinity }: GenerationWorkOptions): GenerationWork {
  const { generationFailed, generationHeldUp } = observer;
  const news = watchGenerations(state, (change) => observer.generationChanged?.(change));
  /** Of which this process has appended a refit, or is about to. */
  const announced = new Set<string>();
  let listener = (): void => undefined;
  const build = (family: FamilyState, pending: PendingGeneration): GenerationBuild => {
    const known = state.builds.get(family.name);
    if (known?.generation === pending.generation) return known;
    known?.close();
    let failures = 0;
    let heldUpBy: string | undefined;
    const tryAgainLater = async (error: unknown): Promise<void> => {
      const againMs = Math.min(againMsMax, againMsMin * 2 ** failures);
      failures += 1;
      generationFailed?.(family.name, error, clock === undefined ? undefined : againMs);
      await clock?.sleep(againMs, begun.closed);
      if (clock !== undefined) begun.tryAgain();
    };
    const told = (failure?: { readonly error: unknown }): void => {
      if (failure !== undefined) void tryAgainLater(failure.error);
      else failures = 0;
      const itemId = begun.heldUpBy();
      if (itemId !== undefined && itemId !== heldUpBy) generationHeldUp?.(family.name, itemId);
      heldUpBy = itemId;
      listener();
    };
    const begun = buildGeneration(state, family, pending, { collectionBytesMax, told });
    state.builds.set(family.name, begun);
    return begun;
  };
  return {
    beforeRecord: async (event, stopping) => {
      news.before();
      if (!(await loadProjections(state, stopping))) return false;
      const family = familySwappedBy(state, event);
      return family === undefined || (await build(family, family.pending).complete(stopping)) === 'complete';
    },
    afterRecord: (event) => {
      // Features change none; of what is not known yet it is not told apart.
      if (event === undefined || event.schema === 'ControlEvent') news.after();
      if (announced.size === 0 || event?.schema !== 'ControlEvent' || !('labelstream.v1.Refit' in event.event.action)) return;
      const refit = event.event.action['labelstream.v1.Refit'];
      const family = state.families.get(event.event.family ?? '');
      if (isPending(family, refit) && announced.delete(refit.generation)) build(family, family.pending);
    },
    due: () => {
      for (const [name, { pending }] of sortedByKey(state.families)) {
        if (pending === undefined) continue;
        const { generation, projectionSha256, sequence } = pending;
        const begun = state.builds.get(name);
        if (begun?.generation !== generation) {
          announced.add(generation);
          return { family: name, generation, action: { 'labelstream.v1.Refit': { generation, through: sequence } } };
        }
        if (begun.isReady()) return { family: name, generation, action: { 'labelstream.v1.Swap': { generation, artefactSha256: projectionSha256 ?? '' } } };
      }
      return undefined;
    },
    isBuilding: () =>
      state.families.values().some(({ name, pending }) => {
        const build = state.builds.get(name);
        return pending !== undefined && (build?.generation !== pending.generation || (!build.hasFailed() && build.heldUpBy() === undefined));
      }),
    rest: () => {
      for (const build of state.builds.values()) build.close();
      state.builds.clear();
      announced.clear();
    },
    watch: (next) => void (listener = next),
  };
}

async function loadProjections(state: PartitionState, stopping: AbortSignal | undefined): Promise<boolean> {
  const { families, projections } = state;
  const wanted = new Set<string>();
  for (const { projectionSha256, pending } of families.values()) {
    if (projectionSha256 !== null) wanted.add(projectionSha256);
    if (pending !== undefined && pending.projectionSha256 !== null) wanted.add(pending.projectionSha256);
  }
  projections.want(state, wanted);
  for (const { projectionSha256 } of families.values()) {
    if (projectionSha256 === null || projections.loaded(projectionSha256) !== undefined) continue;
    const loading = projections.load(projectionSha256);
    if ((await (stopping === undefined ? loading : unlessAborted(loading, stopping))) === undefined) return false;
  }
  return true;
}

/** The family whose pending generation the record puts in force. */
function familySwappedBy(state: PartitionState, event: DecodedEvent | undefined): (FamilyState & { readonly pending: PendingGeneration }) | undefined {
  if (event?.schema !== 'ControlEvent' || !('labelstream.v1.Swap' in event.event.action)) return undefined;
  if (isOutdated(state, event.event)) return undefined;
  const family = state.families.get(event.event.family ?? '');
  const swap = event.event.action['labelstream.v1.Swap'];
  return isPending(family, swap) && namesItsArtefact(family, swap) ? family : undefined;
}
