/** What operators ask for by HTTP, done by what the commands call. */
import { serverError } from '../core/errors/server.ts';
import { inputTopics } from '../core/topics.ts';
import type { Access } from '../open-access.ts';
import type { DesiredStateFollower } from '../pipeline/desired-state.ts';
import type { ControlsHost } from '../server/admin/controls.ts';
import type { DeadLettersHost, LetterRequest } from '../server/admin/dead-letters.ts';
import type { DesiredStateHost } from '../server/admin/inputs.ts';
import { askAll, type LiveClusters } from '../stages/cluster/cluster-queries.ts';
import { letterPage } from './dead-letters/letter-page.ts';
import { letterSelection, originFilterOf, type LetterSelection } from './dead-letters/letter-selection.ts';
import { redriveLetters } from './dead-letters/redrive-letters.ts';
import { forget } from './forget.ts';
import { nameCluster } from './name-cluster.ts';
import { setParameters } from './set-parameters.ts';
import { waitForAll } from './waiting.ts';

export function controlsHost(access: () => Access, clusters: () => Pick<LiveClusters, 'partitions'>): ControlsHost {
  return {
    clusterFamily: async (clusterId, signal) => (await askAll(clusters(), (view) => view.resolve(clusterId), { signal })).value.find((place) => place !== undefined),
    nameCluster: async (cluster, name) => waitForAll(access().transport, await nameCluster(access(), cluster, name)),
    forget: async (items, signal) => {
      const { value } = await askAll(clusters(), (view) => items.filter((item) => view.item(item).length > 0), { signal });
      signal.throwIfAborted();
      const held = new Set(value.flat());
      const { places, ...told } = await forget(access(), items, (item) => held.has(item));
      return { ...told, waitFor: await waitForAll(access().transport, places) };
    },
    metricOf: async (family, signal) => {
      const { value } = await askAll(clusters(), (view) => view.metricOf(family), { signal });
      return value.find((metric) => metric !== undefined) ?? access().configuration.collections.find(({ name }) => name === family)?.metric;
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
