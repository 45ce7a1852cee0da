import { expect, test } from 'vitest';
import { noHeaders } from '../../src/core/records.ts';
import { readRange } from '../../src/pipeline/read-range.ts';
import type { Bound } from '../../src/pipeline/transport.ts';
import { createFixture, type Fixture } from './runner-fixture.ts';

const place = { topic: 'in', partition: 0 };

/** More than one batch, with gaps between the sequences. */
function filled(): Fixture {
  const fixture = createFixture({ in: 1 });
  fixture.broker.append(Array.from({ length: 1_200 }, (_, index) => ({ ...place, key: null, value: Buffer.from(String(index)), headers: noHeaders })));
  return fixture;
}

async function read({ broker, clock }: Fixture, range: { from: Bound; until: Bound }, signal = new AbortController().signal): Promise<string[]> {
  const { transport } = broker.connect();
  const all: string[] = [];
  const reading = async (): Promise<void> => {
    for await (const records of readRange(transport, place, range, signal)) all.push(...records.map(({ value }) => value.toString()));
  };
  await clock.drive(reading());
  return all;
}

test('gives everything from one place to before the other, and waits for nothing', async () => {
  const fixture = filled();
  const { start, end } = fixture.broker.bounds(place);
  const { transport } = fixture.broker.connect();
  const at = (index: number): Promise<Bound> => fixture.clock.drive(transport.boundAt(place, { sequence: fixture.broker.records(place)[index]!.sequence }));
  const numbers = (from: number, until: number): string[] => Array.from({ length: until - from }, (_, index) => String(from + index));
  expect(await read(fixture, { from: start, until: end })).toEqual(numbers(0, 1_200));
  expect(await read(fixture, { from: await at(7), until: await at(8) })).toEqual(['7']);
  expect(await read(fixture, { from: await at(3), until: await at(1_100) })).toEqual(numbers(3, 1_100));
  expect(await read(fixture, { from: await at(499), until: await at(500) })).toEqual(['499']);
  expect(await read(fixture, { from: await at(8), until: await at(8) })).toEqual([]);
  expect(await read(fixture, { from: await at(8), until: await at(7) })).toEqual([]);
  expect(await read(fixture, { from: end, until: end })).toEqual([]);
});

test('ends with the reason of an abort, never as if all had been read', async () => {
  const fixture = filled();
  const { start, end } = fixture.broker.bounds(place);
  await expect(read(fixture, { from: start, until: end }, AbortSignal.abort(new Error('told to stop')))).rejects.toThrow('told to stop');
});
