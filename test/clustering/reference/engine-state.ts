/** Everything a clustering remembers, and so what its snapshot holds. */
import { createGraph } from './adjacency.ts';
import { clusteringError } from '../../../src/core/errors/clustering.ts';
import type { ClusteringIdentity, ClusteringParameters } from '../../../src/clustering/clustering.ts';
import { compareAges, type Age } from './identities.ts';
import type { Component, Graph, Item } from './item.ts';
import { createTold, type Told } from './told.ts';

export type LivingCluster = { readonly component: Component; readonly age: Age };

export type EngineState = {
  parameters: ClusteringParameters;
  identity: ClusteringIdentity;
  /** Of the last record applied. */
  sequence: bigint | undefined;
  readonly items: Map<string, Item>;
  readonly graph: Graph;
  readonly living: Map<string, LivingCluster>;
  readonly told: Told;
};

export function createEngineState(parameters: ClusteringParameters, identity: ClusteringIdentity): EngineState {
  checkParameters(parameters);
  return { parameters, identity, sequence: undefined, items: new Map(), graph: createGraph(), living: new Map(), told: createTold() };
}

/** The order of age, in which clusters are listed and written. */
export function livingByAge(state: EngineState): [string, LivingCluster][] {
  return [...state.living].sort(([, left], [, right]) => compareAges(left.age, right.age));
}

export function rebaseState(state: EngineState, epoch: number, distance: bigint): void {
  state.identity = { ...state.identity, epoch };
  if (state.sequence !== undefined) state.sequence += distance;
  for (const [id, { component, age }] of state.living) state.living.set(id, { component, age: { ...age, sequence: age.sequence + distance } });
  for (const item of state.items.values()) if (item.told !== undefined) item.told = { ...item.told, sequence: item.told.sequence + distance };
  state.told.rebase(distance);
}

export function checkParameters({ eps, minPoints }: ClusteringParameters): void {
  if (!Number.isFinite(eps) || eps < 0) {
    throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `eps is ${eps}, not a finite number from 0 up`, { eps });
  }
  if (!Number.isSafeInteger(minPoints) || minPoints < 1) {
    throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `minPoints is ${minPoints}, not a whole number from 1 up`, { minPoints });
  }
}
