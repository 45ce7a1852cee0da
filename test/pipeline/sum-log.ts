/** One log of numbers, and the outputs of the stage that sums them (`sumStage`), to compare with a fold that is done here. */
import type { Fixture } from './runner-fixture.ts';
import { sumOutput, textOf, textRecord, type SumOptions } from './stages.ts';

export const log = { topic: 'log', partition: 0 };

export function publish({ broker }: Fixture, count: number): void {
  broker.append(Array.from({ length: count }, (_, index) => textRecord(log, String(index + 1))));
}

export const sums = ({ broker }: Fixture): string[] => broker.allRecords('sums').map(textOf);

/** The fold of the log as it stands, done here. */
export function offline({ broker }: Fixture, outputs: SumOptions['outputs']): string[] {
  let sum = 0n;
  return broker.records(log).flatMap((record) => {
    sum += textOf(record).startsWith('tick') ? 0n : BigInt(textOf(record));
    return Array.from({ length: outputs(record) }, (_, index) => textOf(sumOutput(record, sum, index)));
  });
}
