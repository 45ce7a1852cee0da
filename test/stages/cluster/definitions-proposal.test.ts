/** What a configuration appends to the log at start-up (SEMANTICS.md, rule 9). */
import { describe, expect, it } from 'vitest';
import { defineRecord, parametersRecord } from '../../../src/stages/cluster/control-records.ts';
import { proposeDefinitions, withControl, type Definitions } from '../../../src/stages/cluster/definitions-proposal.ts';
import { readSnapshotDefinitions } from '../../../src/stages/cluster/snapshot.ts';
import { codec, codesOf, define, definition, family, openFold, openWithItems, tick } from './fold-harness.ts';

const none: Definitions = new Map();
const of = (changes: Partial<typeof definition> = {}): Definitions => new Map([[family, { ...definition, ...changes }]]);

describe('a proposal', () => {
  it('appends what the log does not know, and raised versions', () => {
    expect(proposeDefinitions(of(), none)).toEqual({ define: [{ family, definition }], errors: [] });
    expect(proposeDefinitions(of({ version: 2, eps: 2 }), of()).define).toMatchObject([{ definition: { version: 2, eps: 2 } }]);
  });

  it('appends nothing that the log holds, nor what the configuration no longer names', () => {
    expect(proposeDefinitions(of(), of())).toEqual({ define: [], errors: [] });
    expect(proposeDefinitions(none, of())).toEqual({ define: [], errors: [] });
  });

  it('is refused for other content under one version, and for a version below the log\'s', () => {
    const conflict = proposeDefinitions(of({ eps: 2, minPoints: 9 }), of());
    expect(conflict.define).toEqual([]);
    expect(conflict.errors).toMatchObject([{ code: 'LS_CLUSTER_DEFINITION_CONFLICT', details: { family, version: 1 } }]);
    expect(conflict.errors[0]?.message).toContain('eps, minPoints');
    expect(proposeDefinitions(of(), of({ version: 3 })).errors).toMatchObject([{ code: 'LS_CLUSTER_DEFINITION_STALE' }]);
  });

  it('knows of the log what a fold of the same records would hold in force', async () => {
    const harness = openFold();
    let known = none;
    const records = [define(), define({ version: 3, eps: 3 }), define({ version: 2 }), define({ version: 3, eps: 9 }), tick, define({}, 'other')];
    for (const record of records) {
      await harness.fold(record);
      known = withControl(known, record);
    }
    const [head] = harness.partition.snapshot();
    expect(readSnapshotDefinitions(head!)).toEqual(known);
    expect(known.get(family)?.eps).toBe(3);
  });

  it('is what the fold takes', async () => {
    const harness = openFold();
    const { define: [proposed] } = proposeDefinitions(of({ windowAgeMs: 5n, tombstoneRetentionMs: 7n }), none);
    const record = defineRecord(codec, 4, proposed!.family, proposed!.definition);
    expect(record).toMatchObject({ topic: 'features', key: Buffer.from(family) });
    expect(record.partition).toBe(defineRecord(codec, 4, family, definition).partition);
    expect(codesOf(await harness.fold(record.value))).toEqual([]);
    expect(codesOf(await harness.fold(parametersRecord(codec, 4, family, { eps: 2, minPoints: null }).value))).toEqual([]);
    const [head] = harness.partition.snapshot();
    const read = readSnapshotDefinitions(head!);
    expect(proposeDefinitions(of({ windowAgeMs: 5n, tombstoneRetentionMs: 7n }), read)).toEqual({ define: [], errors: [] });
  });

  it('reads the definitions from the first chunk of a snapshot alone, and refuses what is none', async () => {
    const { partition } = await openWithItems([[0, 0]]);
    const [first, second] = partition.snapshot();
    expect(readSnapshotDefinitions(first!)).toEqual(of());
    for (const wrong of [second!, Buffer.alloc(0), first!.subarray(0, 20)]) {
      expect(() => readSnapshotDefinitions(wrong)).toThrow(expect.objectContaining({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' }) as Error);
    }
  });
});
