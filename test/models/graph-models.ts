/** Models that are one graph, and the rows of numbers that they give. */
import type { ItemOutcome } from '../../src/models/inference.ts';
import { parseManifest, type GraphManifest } from '../../src/models/manifest.ts';
import type { ModelOutput } from '../../src/models/model-port.ts';
import { loadArtefacts, type GraphArtefacts, type ModelArtefacts } from '../../src/models/repository.ts';

export function graphOf(artefacts: ModelArtefacts): GraphArtefacts {
  if (artefacts.kind === 'graph') return artefacts;
  throw new Error(`${artefacts.directory} is no single graph`);
}

export async function loadGraph(directory: string): Promise<GraphArtefacts> {
  return graphOf(await loadArtefacts(directory));
}

export function rowOf(outcome: ItemOutcome | undefined): Float32Array {
  if (outcome !== undefined && 'output' in outcome) return outcome.output;
  throw new Error(outcome !== undefined && 'failure' in outcome ? outcome.failure.message : 'no row of numbers');
}

/** Throws as parseManifest, or where it is no manifest of one graph. */
export function parseGraphManifest(text: string): GraphManifest {
  const manifest = parseManifest(text, 'm');
  if (manifest.kind === 'graph') return manifest;
  throw new Error(`${manifest.name} is no single graph`);
}

/** The numbers of a vector or of scores. */
export function numbersIn(output: ModelOutput): number[] {
  if (output.kind === 'vector') return [...output.vector];
  if (output.kind === 'scores') return [...output.scores];
  throw new Error(`a ${output.kind} is no row of numbers`);
}
