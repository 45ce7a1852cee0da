// What `whiten` and the choice of eps are for: the 77 intents of banking77, of which neither sees one. On raw vectors of MiniLM even the best eps, chosen
// by the intents, joins what does not belong together.
import { join } from 'node:path';
import { expect } from 'vitest';
import { sampleModels } from '../../examples/example.ts';
import { chooseEps, type EpsChoice } from '../../src/clustering/eps/choose-eps.ts';
import { projectionKind } from '../../src/clustering/projection/kinds.ts';
import { atOnce } from '../../src/clustering/sliced-work.ts';
import { adjustedRandIndex } from '../clustering/adjusted-rand-index.ts';
import { fileThere, testWith } from '../requirements.ts';
import { bankingFile, bankingVectors } from './banking-vectors.ts';

const model = join(sampleModels, 'all-MiniLM-L6-v2');
const minPoints = 10;
const dimensions = 64;

/** By eps of the table: how far its clusters agree with the intents. */
function agreement(vectors: readonly Float32Array[], intents: readonly number[]): { readonly choice: EpsChoice; readonly byEps: ReadonlyMap<number, number> } {
  const byEps = new Map<number, number>();
  const choice = atOnce(
    chooseEps(vectors, { metric: 'cosine', minPoints, seen: ({ eps }, clusterOf) => void byEps.set(eps, adjustedRandIndex(vectors.map((_, index) => clusterOf(index)), intents)) }),
  );
  return { choice, byEps };
}

testWith({ [model]: fileThere(model), [bankingFile]: fileThere(bankingFile) }, 'the eps suggested on whitened vectors finds the intents at least twice as well as the best eps on raw ones', { timeout: 1_800_000 }, async () => {
  const { vectors, intents: names } = await bankingVectors();
  expect(vectors).toHaveLength(10_003);
  const known = [...new Set(names)];
  expect(known).toHaveLength(77);
  const intents = names.map((name) => known.indexOf(name));

  const raw = agreement(vectors, intents);
  const [bestEps, best] = [...raw.byEps].reduce((left, right) => (right[1] > left[1] ? right : left));

  const whiten = projectionKind('whiten');
  const projection = whiten.open(atOnce(whiten.fit(vectors, dimensions)));
  const { choice, byEps } = agreement(vectors.map((vector) => projection.apply(vector)), intents);
  const suggested = choice.suggestion?.eps ?? Number.NaN;
  const reached = byEps.get(suggested) ?? Number.NaN;

  console.log(
    `adjusted Rand index on banking77, minPoints ${minPoints}: raw vectors, best eps ${bestEps} of ${raw.byEps.size}: ${best.toFixed(4)}; ` +
      `whiten to ${dimensions}, suggested eps ${suggested} (${choice.suggestion?.reason ?? 'none'}): ${reached.toFixed(4)}; ratio ${(reached / best).toFixed(2)}`,
  );
  expect(best).toBeGreaterThan(0.03);
  expect(reached).toBeGreaterThanOrEqual(2 * best);
});
