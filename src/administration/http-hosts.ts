/** What operators ask for by HTTP, done by what the commands call. */
import { clustersOf } from '../clusters-of.ts';
import { serverError } from '../core/errors/server.ts';
import { inputTopics } from '../core/topics.ts';
import type { Access } from '../open-access.ts';
import type { DesiredStateFollower } from '../pipeline/desired-state.ts';
import type { ControlsHost } from '../server/admin/controls.ts';
import type { DeadLettersHost, LetterRequest } from '../server/admin/dead-letters.ts';
import type { DesiredStateHost } from '../server/admin/inputs.ts';
import type { ClusterView } from '../stages/cluster/view.ts';
import { letterPage } from './dead-letters/letter-page.ts';
import { letterSelection, originFilterOf, type LetterSelection } from './dead-letters/letter-selection.ts';
import { redriveLetters } from './dead-letters/redrive-letters.ts';
import { forget } from './forget.ts';
import { nameCluster } from './name-cluster.ts';
import { setParameters } from './set-parameters.ts';
import { waitForAll } from './waiting.ts';

/** The clusters as of now. */
type ReadClusters = (signal: AbortSignal) => Promise<Pick<ClusterView, 'cluster' | 'item' | 'collections'>>;

/** @param clusters by reading the newest snapshot and what followed it, unless something else knows them. */
export function controlsHost(access: () => Access, clusters: ReadClusters = (signal) => clustersOf(access(), signal)): ControlsHost {
  return {
    clusterFamily: async (clusterId, signal) => {
      const found = (await clusters(signal)).cluster(clusterId).value;
      return found && { family: found.family, collection: found.collection, clusterId: found.clusterId };
    },
    nameCluster: async (cluster, name) => waitForAll(access().transport, await nameCluster(access(), cluster, name)),
    forget: async (items, signal) => {
      const view = await clusters(signal);
      signal.throwIfAborted();
      const { places, ...told } = await forget(access(), items, view);
      return { ...told, waitFor: await waitForAll(access().transport, places) };
    },
    hasFamily: async (family, signal) => {
      if (access().configuration.collections.some(({ name }) => name === family)) return true;
      return (await clusters(signal)).collections().value.some((collection) => collection.family === family);
    },
    setParameters: async (family, parameters) => waitForAll(access().transport, await setParameters(access(), family, parameters)),
  };
}

const reasonsMax = 100;

export function deadLettersHost(access: () => Access): DeadLettersHost {
  return {
    page: async (request, { after, limit }, signal) => {
      const { letters, next } = await letterPage(access(), selectionOf(request), { after: placeOf(after), limit }, signal);
      return { letters, next: next && `${next.partition}:${next.sequence}` };
    },
    redrive: async (request, dryRun, signal) => {
      const skipped: { readonly id: string; readonly reason: string }[] = [];
      const observer = {
        skipped: ({ letter: { id } }: { readonly letter: { readonly id: string } }, reason: string): void => {
          if (skipped.length < reasonsMax) skipped.push({ id, reason });
        },
      };
      const outcome = await redriveLetters(access(), { selection: selectionOf(request), ids: request.ids, dryRun }, observer, signal);
      if (outcome.kind === 'missing') return outcome;
      const waitFor = dryRun ? [] : await waitForAll(access().transport, outcome.places);
      return { kind: 'done', redriven: outcome.redriven, skipped, skippedCount: outcome.skipped, waitFor };
    },
  };
}

/** Throws LS_SERVER_REQUEST. */
function selectionOf({ origin, ...filters }: LetterRequest): LetterSelection {
  return letterSelection({
    ...filters,
    origin: origin.map((text) => {
      const filter = originFilterOf(text);
      if (filter === undefined) throw serverError('LS_SERVER_REQUEST', `the origin ${JSON.stringify(text)} is not of the form topic, topic:partition or topic:partition:sequence`);
      return filter;
    }),
  });
}

function placeOf(text: string | undefined): { readonly partition: number; readonly sequence: bigint } | undefined {
  const [, partition, sequence] = /^(\d+):(\d+)$/.exec(text ?? '') ?? [];
  return partition === undefined || sequence === undefined ? undefined : { partition: Number(partition), sequence: BigInt(sequence) };
}

export function desiredStateHost(follower: () => DesiredStateFollower): DesiredStateHost {
  return {
    inputs: inputTopics,
    current: () => follower().current(),
    pauseInput: (topic, paused) => follower().change((state) => ({ ...state, pausedInputs: withOrWithout(state.pausedInputs, topic, paused) })),
    unloadModel: (model, unloaded) => follower().change((state) => ({ ...state, unloadedModels: withOrWithout(state.unloadedModels, model, unloaded) })),
  };
}

function withOrWithout(names: readonly string[], name: string, isIn: boolean): readonly string[] {
  const others = names.filter((each) => each !== name);
  return isIn ? [...others, name] : others;
}
