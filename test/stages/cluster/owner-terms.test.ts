/** Claims, terms and the version of the engine (SEMANTICS.md, rules 20 and 27). */
import { describe, expect, it } from 'vitest';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { restoreState } from '../../../src/stages/cluster/snapshot.ts';
import { emptyState } from '../../../src/stages/cluster/state.ts';
import { asChunks, codec, codesOf, control, define, features, openFold, openWithItems, partitionCounts, type Action, type FoldHarness } from './fold-harness.ts';

const line = [[0, 0], [0.5, 0], [1, 0]];
const claim = (owner: string): Action => ({ 'labelstream.v1.Claim': { owner } });
const tick: Action = { 'labelstream.v1.Tick': {} };
const ofTerm = (term: bigint, action: Action, family: string | null = null) => ({ ...control(action, family), term });

function dueOf({ partition }: FoldHarness) {
  const due = partition.due();
  return due === undefined ? undefined : { ...due, control: codec.decodeAs('ControlEvent', due.record.value) };
}

function itemCount({ partition }: FoldHarness): number {
  return partition.view.collections().reduce((sum, each) => sum + each.itemCount, 0);
}

async function headOf(harness: FoldHarness) {
  const state = emptyState(features);
  await restoreState(state, asChunks(harness.partition.snapshot()));
  return state;
}

/** Items of the append time 1000 that leave at 2000; records 0 to 3. */
const openWindow = (options: Parameters<typeof openFold>[0] = {}): Promise<FoldHarness> => openWithItems(line, { windowAgeMs: 1000n }, options);

describe('an owner', () => {
  it('claims the partition before it appends anything, and appends under its term from then on', async () => {
    const harness = await openWindow();
    expect(dueOf(harness)).toMatchObject({ atMs: 2000, control: { family: null, term: 0n, action: claim('owner') } });
    expect(dueOf(harness)?.isUrgent).toBeUndefined();
    await harness.fold(ofTerm(0n, claim('owner')));
    expect(dueOf(harness)).toMatchObject({ atMs: 2000, control: { term: 4n, action: tick } });
    await harness.fold(ofTerm(4n, tick), 2000);
    expect(itemCount(harness)).toBe(0);
    expect(harness.partition.due()).toBeUndefined();
  });

  it('claims nothing where it has nothing to append', async () => {
    expect((await openWithItems(line)).partition.due()).toBeUndefined();
  });

  it('keeps its term when its claim came to lie in the log twice', async () => {
    const harness = await openWindow();
    await harness.fold(ofTerm(0n, claim('owner')));
    await harness.fold(ofTerm(0n, claim('owner')));
    expect(dueOf(harness)).toMatchObject({ control: { term: 4n } });
  });

  it('claims anew when another one has, also after a restart', async () => {
    const harness = await openWindow();
    await harness.fold(ofTerm(0n, claim('owner')));
    await harness.fold(ofTerm(0n, claim('other')));
    expect(dueOf(harness)).toMatchObject({ control: { action: claim('owner') } });
    const restarted = openFold({ createOwner: () => 'third' });
    await restarted.partition.restore(asChunks(harness.partition.snapshot()));
    expect(dueOf(restarted)).toMatchObject({ control: { action: claim('third') } });
    expect((await headOf(restarted)).claim).toEqual({ owner: 'other', term: 5n });
  });

  it('has another name at each opening', async () => {
    const names = new Set<string>();
    for (let opening = 0; opening < 3; opening++) {
      const partition = createClusterStage({ codec, partitionCounts }).open(features);
      await partition.restore(asChunks((await openWindow()).partition.snapshot()));
      const { action } = codec.decodeAs('ControlEvent', partition.due()!.record.value);
      if ('labelstream.v1.Claim' in action) names.add(action['labelstream.v1.Claim'].owner);
    }
    expect(names.size).toBe(3);
  });
});

describe('a record of an owner whose term is over', () => {
  const outdated: readonly (readonly [string, Action, string | null])[] = [
    ['Tick', tick, null],
    ['Freeze', { 'labelstream.v1.Freeze': { collection: 'news-en', isFrozen: true } }, 'news-${language}'],
    ['Refit', { 'labelstream.v1.Refit': { generation: 'x', through: 1n } }, 'news-${language}'],
    ['Swap', { 'labelstream.v1.Swap': { generation: 'x', artefactSha256: '' } }, 'undeclared'],
  ];

  it.each(outdated)('leaves no trace: %s', async (_, action, family) => {
    const harness = await openWindow();
    await harness.fold(ofTerm(0n, claim('first')));
    await harness.fold(ofTerm(0n, claim('second')));
    const before = harness.snapshot();
    // Not even the time that it comes at.
    const told = await harness.fold(ofTerm(4n, action, family), 9000);
    expect(told).toEqual({ labels: [], clusterEvents: [], deadLetters: [] });
    expect(harness.snapshot()).toEqual(before);
  });

  it('counts where no later one has claimed the partition, and a tick without a term always', async () => {
    const harness = await openWindow();
    await harness.fold(ofTerm(0n, claim('first')));
    await harness.fold(ofTerm(0n, tick), 2000);
    expect(itemCount(harness)).toBe(0);
    const frozen = await openWindow();
    await frozen.fold(ofTerm(0n, claim('first')));
    await frozen.fold(ofTerm(4n, ...([outdated[1]![1], outdated[1]![2]] as const)));
    expect(frozen.partition.view.frozenCount()).toBe(1);
  });

  it('is not what people and configurations append', async () => {
    const harness = await openWindow();
    await harness.fold(ofTerm(0n, claim('first')));
    expect(codesOf(await harness.fold(define({ version: 2, windowAgeMs: 5000n })))).toEqual([]);
    await harness.fold(ofTerm(4n, tick), 2000);
    expect(itemCount(harness)).toBe(3);
  });
});

describe('the version of the engine', () => {
  it('is in the snapshot, and what is not above it changes nothing', async () => {
    const harness = await openWithItems(line);
    expect((await headOf(harness)).engineVersion).toBe(1);
    for (const version of [1, 0]) expect(codesOf(await harness.fold(control({ 'labelstream.v1.Engine': { version } }, null)))).toEqual([]);
    expect((await headOf(harness)).engineVersion).toBe(1);
  });

  it('stops the partition where this program does not have it', async () => {
    const harness = await openWithItems(line);
    const before = harness.snapshot();
    await expect(harness.fold(control({ 'labelstream.v1.Engine': { version: 2 } }, null))).rejects.toMatchObject({ code: 'LS_CLUSTER_ENGINE_UNKNOWN', details: { version: 2 } });
    expect(harness.snapshot()).toEqual(before);
    const chunks = Array.from(harness.partition.snapshot(), (chunk) => Buffer.from(chunk.toString('latin1').replace('"engineVersion":1', '"engineVersion":2'), 'latin1'));
    await expect(openFold().partition.restore(asChunks(chunks))).rejects.toMatchObject({ code: 'LS_CLUSTER_ENGINE_UNKNOWN' });
  });
});
