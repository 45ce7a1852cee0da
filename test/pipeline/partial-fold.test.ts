import { expect, it } from 'vitest';
import { createFixture, testLimits } from './runner-fixture.ts';
import { sumStage, textOf, textRecord } from './stages.ts';

const log = { topic: 'log', partition: 0 };

// Only a fold that is told to stop may give less than it was given.
it('a partition stops on a fold that leaves records out while nothing stops', async () => {
  const fixture = createFixture({ log: 1, sums: 1 });
  fixture.broker.append(Array.from({ length: 10 }, (_, index) => textRecord(log, String(index + 1))));
  const limits = { ...testLimits, foldRecordsMax: 4 };
  const whole = sumStage('log', { outputs: () => 1 });
  const open: typeof whole.open = (partition) => {
    const opened = whole.open(partition);
    return { ...opened, fold: (records, stopping) => opened.fold(records.filter((record) => textOf(record) !== '8'), stopping) };
  };
  const runner = await fixture.start(fixture.broker.connect().transport, { ...whole, open }, { limits });
  expect(await fixture.clock.drive(runner.failed)).toMatchObject({ code: 'LS_PIPELINE_FOLD_FAILED', cause: new RangeError('4 records gave 3 lists of outputs') });
  expect(fixture.broker.allRecords('sums').map((record) => textOf(record).split(':')[1])).toEqual(['1#0', '3#0', '6#0', '10#0']);
  expect(fixture.broker.checkpoint('group', log)).toMatchObject({ sequence: fixture.broker.records(log)[3]?.sequence });
  await fixture.stop(runner);
});
