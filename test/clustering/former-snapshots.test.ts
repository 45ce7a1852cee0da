/** Snapshots of format 2, as versions before wrote them: read by the engine, and what it gives in that form read by the reference. */
import { expect, test } from 'vitest';
import { createClustering, restoreClustering } from '../../src/clustering/incremental-dbscan.ts';
import { createReference, restoreReference } from './reference/incremental-dbscan.ts';
import { identity, mutate, perform, scenarioFor, seed, stepsOf } from './run-scenario.ts';

const reader = (chunks: readonly Buffer[]): (() => Promise<Buffer | undefined>) => {
  let next = 0;
  return () => Promise.resolve(chunks[next++]);
};

test(`the engine goes on from the reference, and the reference from the engine (seed ${seed})`, async () => {
  for (let index = 0; index < 8; index++) {
    const { scenario, random } = scenarioFor(6000 + index);
    const live = new Map<string, Float32Array>();
    let reference = createReference(scenario.parameters, identity);
    let engine = createClustering(scenario.parameters, identity);
    for (const [at, numbered] of [...stepsOf(scenario, random, 40, live)].entries()) {
      mutate(live, numbered.step.mutations);
      expect(perform(engine, numbered), `scenario ${index}, step ${at}`).toEqual(perform(reference, numbered));
      if (at % 10 !== 9) continue;
      const state = [...reference.snapshot()];
      const former = engine;
      engine = await restoreClustering(reader(state));
      expect(Buffer.concat([...engine.canonicalState()]).equals(Buffer.concat(state))).toBe(true);
      reference = await restoreReference(reader([...former.canonicalState()]));
    }
  }
});
