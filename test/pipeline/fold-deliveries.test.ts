import { describe, expect, it } from 'vitest';
import { cutDeliveries } from '../../src/pipeline/fold-deliveries.ts';
import { createFixture } from './runner-fixture.ts';
import { textRecord } from './stages.ts';

describe('cutting a fold into deliveries', () => {
  const log = { topic: 'log', partition: 0 };
  const [record] = (() => {
    const fixture = createFixture({ log: 1, sums: 1 });
    fixture.broker.append([textRecord(log, '1')]);
    return fixture.broker.records(log);
  })();
  const outputs = Array.from({ length: 5 }, (_, index) => textRecord({ topic: 'sums', partition: 0 }, String(index)));
  const standing = { position: 'here', sequence: 9n, outputsSent: 2 };

  it('counts from what is out already', () => {
    if (record === undefined) throw new RangeError('no record');
    const cut = [...cutDeliveries([{ record, outputs, sent: 2 }], standing, { records: 2, bytes: 1_000_000 })];
    expect(cut.map((delivery) => [delivery.outputs.length, delivery.checkpoint.sequence, delivery.checkpoint.outputsSent, delivery.inputs])).toEqual([
      [2, 9n, 4, 0],
      [1, record.sequence, 0, 1],
    ]);
  });

  it('lets an output go that is larger than the budget, alone', () => {
    if (record === undefined) throw new RangeError('no record');
    const cut = [...cutDeliveries([{ record, outputs, sent: 0 }], standing, { records: 10, bytes: 1 })];
    expect(cut.map((delivery) => delivery.outputs.length)).toEqual([1, 1, 1, 1, 1]);
  });
});
