/** Projections at hand: fetched once, for as long as a partition wants them. */
import { expect, it } from 'vitest';
import { artefactName, encodeArtefact } from '../../../src/clustering/projection/artefact.ts';
import { whiten } from '../../../src/clustering/projection/whiten.ts';
import { atOnce } from '../../../src/clustering/sliced-work.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { createProjections } from '../../../src/stages/cluster/projections.ts';
import { codec, define, feature, features, openFold, partitionCounts, recordAt, swapPending } from './fold-harness.ts';

const artefacts = new Map(
  [1, 2, 3].map((scale) => {
    const artefact = encodeArtefact(atOnce(whiten.fit(Array.from({ length: 9 }, (_, index) => Float32Array.from([scale * (index % 3), Math.floor(index / 3)])), 2)));
    return [artefactName(artefact), artefact];
  }),
);
const [first = '', second = '', third = ''] = artefacts.keys();

function counted() {
  const fetched: string[] = [];
  const fetchProjection = (sha256: string): Promise<Buffer> => {
    fetched.push(sha256);
    return Promise.resolve(artefacts.get(sha256)!);
  };
  return { fetched, fetchProjection };
}

it('are let go of when nobody wants them, and what is loaded meanwhile is not kept', async () => {
  const { fetched, fetchProjection } = counted();
  const projections = createProjections(fetchProjection);
  const [one, other] = [{}, {}];
  projections.want(one, new Set([first]));
  projections.want(other, new Set([first, second]));
  const loaded = await projections.load(first);
  expect(await projections.load(first)).toBe(loaded);
  projections.want(one, new Set([second]));
  expect(projections.loaded(first), 'the other wants it').toBe(loaded);
  const loading = projections.load(second);
  projections.want(other, new Set());
  projections.want(one, new Set());
  await loading;
  expect([first, second].map((sha256) => projections.loaded(sha256))).toEqual([undefined, undefined]);
  expect(fetched).toEqual([first, second]);
});

it('are let go of by a family that goes over to another, and by a partition that is closed', async () => {
  const { fetched, fetchProjection } = counted();
  const harness = openFold({ fetchProjection });
  await harness.fold(define({ projectionSha256: first }));
  for (let index = 0; index < 5; index++) await harness.insert({ item: `i${index}`, at: [index, 0], origin: index });
  await harness.fold(define({ version: 2, projectionSha256: second }));
  await swapPending(harness);
  await harness.fold(define({ version: 3, projectionSha256: third }));
  await harness.fold(define({ version: 4, projectionSha256: first }));
  await swapPending(harness);
  await harness.insert({ item: 'i9', at: [9, 0], origin: 9 });
  expect(fetched.filter((sha256) => sha256 === first), 'let go of in between').toHaveLength(2);
  const stage = createClusterStage({ codec, partitionCounts, fetchProjection });
  for (const times of [1, 2]) {
    fetched.length = 0;
    const partition = stage.open(features);
    const records = [define({ projectionSha256: third }), feature({ item: 'a', at: [1, 0], origin: 1 }), feature({ item: 'b', at: [2, 0], origin: 2 })];
    await partition.fold(records.map((event, index) => recordAt(index, { event })));
    expect(fetched, `opened ${times} times`).toEqual([third]);
    await partition.close();
  }
});
