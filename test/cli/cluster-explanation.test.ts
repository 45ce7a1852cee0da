// What `clusters show` says of an item, and of the record that put it where it is.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { explanationLines } from '../../src/cli/cluster-explanation.ts';
import { causeOfRecord } from '../../src/cli/record-cause.ts';
import type { DecodedEvent } from '../../src/codec/event-names.ts';
import { codecError } from '../../src/core/errors/codec.ts';
import type { ControlEvent } from '../../src/core/events.generated.ts';
import { noHeaders, type ConsumedRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { root } from '../repository/documents.ts';

const explained = {
  itemId: 's/1', family: 'f', collection: 'c', clusterName: null, metric: 'euclidean', eps: 0.5, projectionSha256: null, nearest: null, role: 'border', clusterId: 'x', density: 9, minPoints: 10,
  nearestCore: { itemId: 's/2', distance: 0.123456 }, neighbours: [{ itemId: 's/3', distance: 1e-9 }, { itemId: 's/2', distance: 0.123456 }],
  changedAt: -4n, partition: 3, changedBy: null,
} as const;

test('a border item, more neighbours than are shown, and a record that is gone', () => {
  expect(explanationLines(explained)).toEqual([
    's/1 is border in c: 9 items within eps 0.5 (euclidean), itself counted, fewer than 10 (minPoints), but a core is among them',
    '  nearest core: s/2 (0.1235)',
    '  near it: s/3 (1e-9), s/2 (0.1235) and 6 others',
    '  assigned by record -4 of partition 3 of features: not kept any more',
  ]);
});

test('noise: how far the next item and the next core are, and of which vectors', () => {
  const noise = { ...explained, role: 'noise', clusterId: null, density: 1, nearestCore: null, neighbours: [], projectionSha256: 'a'.repeat(64) } as const;
  expect(explanationLines({ ...noise, nearest: { item: { itemId: 's/4', distance: 0.75 }, core: { itemId: 's/5', distance: 1.5 } } })).toEqual([
    's/1 is noise in c: 1 item within eps 0.5 (euclidean, between projected vectors), itself counted, fewer than 10 (minPoints), and no core is among them',
    '  nearest of all, within eps or not: s/4 (0.75); nearest core: s/5 (1.5)',
    '  assigned by record -4 of partition 3 of features: not kept any more',
  ]);
  expect(explanationLines({ ...noise, nearest: { item: null, core: null } })).toContain('  nearest of all, within eps or not: no other item; nearest core: there is none');
});

/** A log of three records from 5 on, of which the last but one is a gap. */
function causeIn(decoded: DecodedEvent | Error, sequence: bigint): Promise<string | undefined> {
  const kept = [5n, 7n];
  const record: ConsumedRecord = { topic: topics.features, partition: 0, incarnation: 'i', sequence, nextPosition: '', appendTimeMs: 0, key: null, value: Buffer.alloc(1), headers: noHeaders };
  const end = { position: 'end', sequence: 8n };
  const bound = kept.find((other) => other >= sequence);
  return causeOfRecord(
    {
      transport: {
        describeTopic: () => Promise.resolve({ topic: topics.features, incarnation: 'i', partitionCount: 1 }),
        boundAt: () => Promise.resolve(bound === undefined ? end : { position: String(bound), sequence: bound }),
        bounds: () => Promise.resolve({ start: { position: '5', sequence: 5n }, end }),
        read: () => Promise.resolve([record]),
      },
      codec: {
        prepareDecode: () => undefined,
        decode: () => {
          if (decoded instanceof Error) throw decoded;
          return decoded;
        },
      },
    },
    0, sequence, new AbortController().signal,
  );
}

const control = (action: object): DecodedEvent => ({ schema: 'ControlEvent', event: { id: '', term: 0n, family: null, action: action as ControlEvent['action'] } });

test('control records have the names that cluster events call them by', async () => {
  expect(await causeIn(control({ 'labelstream.v1.SetParameters': {} }), 5n)).toBe('set-parameters');
  const fold = await readFile(join(root, 'src/stages/cluster/fold-control.ts'), 'utf8');
  const schema = JSON.parse(await readFile(join(root, 'schemas/labelstream.v1.ControlEvent.avsc'), 'utf8')) as { fields: { name: string; type: readonly { name: string }[] }[] };
  const actions = schema.fields.find(({ name }) => name === 'action')?.type ?? [];
  const names = await Promise.all(actions.map((action) => causeIn(control({ [`labelstream.v1.${action.name}`]: {} }), 7n)));
  const used = [...fold.matchAll(/cause: '([a-z-]+)'/g)].map(([, cause]) => cause);
  expect(used.length).toBeGreaterThan(4);
  expect(used.filter((cause) => !names.includes(cause))).toEqual([]);
});

test('nothing is said of a record that is a gap, gone, still to come, of another log, or no event', async () => {
  const tick = control({ 'labelstream.v1.Tick': {} });
  for (const sequence of [-1n, 4n, 6n, 8n, 9n]) expect(await causeIn(tick, sequence)).toBeUndefined();
  expect(await causeIn(codecError('LS_CODEC_SCHEMA_UNKNOWN', 'no event'), 5n)).toBeUndefined();
  expect(await causeIn(tick, 5n)).toBe('tick');
});
