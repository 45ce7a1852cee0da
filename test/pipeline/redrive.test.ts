import { describe, expect, it } from 'vitest';
import { recordBytes, type ConsumedRecord } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { deadLetter, type Failure } from '../../src/pipeline/dead-letter.ts';
import { encodeOrigin, headerNames } from '../../src/pipeline/headers.ts';
import { marksNeededFrom, readDeadLetter, redriveRecord, replayRecord } from '../../src/pipeline/redrive.ts';
import { recordLimits } from '../../src/pipeline/record-limits.ts';
import { createFixture, type Fixture } from './runner-fixture.ts';
import { textRecord } from './stages.ts';

const input: ConsumedRecord = {
  topic: 'text.events', partition: 3, incarnation: 'b0c1', sequence: 41n, nextPosition: '42', appendTimeMs: 1_700_000_000_000, key: Buffer.from('s/a'),
  value: Buffer.from([0xff, 0x00, 0xc3]), headers: new Map([['traceparent', Buffer.from('00-abc')]]),
};
const failure: Failure = { code: 'LS_TEST', message: 'no', stage: 'extract', task: 'text-features', attempt: 2, routeSteps: ['r/a', 'r/b'], results: { c: 'Dog' } };

/** As it is read from the topic dead-letters. */
function consumed(record: ConsumedRecord, of: Failure, sequence = 7n): ConsumedRecord {
  return { ...record, ...deadLetter(record, of, 0), incarnation: 'd', sequence, nextPosition: 'p', appendTimeMs: 5 };
}
const text = (headers: ReadonlyMap<string, Buffer>): Record<string, string> => Object.fromEntries([...headers].map(([name, value]) => [name, value.toString()]));

describe('a dead letter', () => {
  it('is read back as it was written', () => {
    expect(readDeadLetter(consumed(input, failure))).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{16}$/) as string, code: 'LS_TEST', message: 'no', stage: 'extract', task: 'text-features', attempts: 2, routeSteps: ['r/a', 'r/b'],
      results: '{"c":"Dog"}', origin: { topic: 'text.events', incarnation: 'b0c1', partition: 3, sequence: 41n, appendTime: 1_700_000_000_000 },
      read: { topic: 'text.events', incarnation: 'b0c1', partition: 3, sequence: 41n },
    });
  });

  it('has one id for all its copies, and others for other work', () => {
    const id = (record: ConsumedRecord, of: Failure, sequence?: bigint): string => readDeadLetter(consumed(record, of, sequence)).id;
    const same = id(input, failure);
    expect(id(input, { ...failure, message: 'other words', attempt: 9 }, 8n)).toBe(same);
    const others = [
      id(input, { ...failure, routeSteps: ['r/a'] }), id(input, { ...failure, stage: 'cluster' }), id({ ...input, sequence: 42n }, failure), id({ ...input, partition: 2 }, failure),
      id({ ...input, incarnation: 'x' }, failure),
    ];
    expect(new Set([same, ...others]).size).toBe(6);
  });

  it('that comes of a redriven record has one id for all copies of that record, and others for the next redrive and for other features', () => {
    const id = (sequence: bigint, redriveCause?: string): string =>
      readDeadLetter(consumed({ ...input, topic: topics.redrive, sequence }, redriveCause === undefined ? failure : { ...failure, redriveCause })).id;
    const cause = '0123456789abcdef 1';
    expect(id(41n, cause)).toBe(id(42n, cause));
    expect(new Set([id(41n), id(42n), ...[cause, '0123456789abcdef 2', 'fedcba9876543210 1', `${cause} 0`, `${cause} 1`].map((each) => id(41n, each))]).size).toBe(7);
  });

  it('of whatever headers is something that can be listed', () => {
    const bare = readDeadLetter({ ...input, topic: topics.deadLetters, headers: new Map() });
    expect(bare).toMatchObject({ code: '', stage: '', attempts: 1, routeSteps: undefined, origin: undefined, read: undefined });
    for (const hostile of ['', '-1', '1.5', 'x', '9'.repeat(40), '\0']) {
      const headers = new Map(Object.values(headerNames).map((name) => [name, Buffer.from(hostile)]));
      expect(readDeadLetter({ ...input, headers }).attempts).toBe(1);
      expect(readDeadLetter({ ...input, headers }).read).toBeUndefined();
    }
    expect(bare.id).not.toBe(readDeadLetter({ ...input, sequence: 42n, headers: new Map() }).id);
  });
});

describe('what a redrive appends', () => {
  it('is the untouched input with its origin, its steps, its labels and the mark', () => {
    const letter = readDeadLetter(consumed(input, failure));
    const { routeSteps, results } = letter;
    const record = redriveRecord(letter, { input: letter.record, routeSteps, results }, 3, 8);
    expect(record).toMatchObject({ topic: 'redrive', key: input.key, value: input.value });
    expect(text(record.headers)).toEqual({
      traceparent: '00-abc',
      'labelstream.origin': '3 41 1700000000000 b0c1 text.events',
      'labelstream.run.route-steps': 'r/a,r/b',
      'labelstream.run.results': '{"c":"Dog"}',
      'labelstream.run.attempts': '2',
      'labelstream.redrive.of': letter.id,
      'labelstream.redrive.number': '3',
    });
  });

  it('names no steps where all are to run', () => {
    const letter = readDeadLetter(consumed(input, { code: 'LS_CODEC_FORMAT', message: '', stage: 'extract', attempt: 1 }));
    const { headers } = redriveRecord(letter, { input: letter.record, routeSteps: undefined, results: undefined }, 1, 1);
    expect([...headers.keys()].filter((name) => /steps|results/.test(name))).toEqual([]);
  });

  it('fits into its topic however large the input and the reason are, and so does the dead letter after it', () => {
    const largest = 100_000;
    const limits = recordLimits(largest);
    const value = Buffer.alloc(largest - recordBytes({ ...input, value: Buffer.alloc(0) }));
    const steps = ['r'.repeat(8_000)];
    const origin = { topic: 't'.repeat(249), incarnation: 'i'.repeat(60), partition: 2 ** 31 - 1, sequence: 2n ** 63n - 1n, appendTime: 2 ** 52 - 1 };
    const of: Failure = { ...failure, message: '€'.repeat(9_000), task: 'x'.repeat(900), schemaId: 'x'.repeat(900), routeSteps: steps, results: { c: 'x'.repeat(8_000) }, origin };
    const full = { ...input, value };
    expect(recordBytes(full)).toBe(largest);
    const letter = readDeadLetter(consumed(full, of));
    const record = redriveRecord(letter, { input: letter.record, routeSteps: letter.routeSteps, results: letter.results }, 999_999_999, 1);
    expect(record.headers.size).toBe(7);
    expect(recordBytes(record)).toBeLessThanOrEqual(limits.bytesMax(topics.redrive));
    expect(recordBytes(deadLetter({ ...input, ...record }, of, 0))).toBeLessThanOrEqual(limits.bytesMax(topics.deadLetters));
    expect(recordBytes(replayRecord(full, steps, 1))).toBeLessThanOrEqual(limits.bytesMax(topics.replay));
  });
});

describe('what a replay appends', () => {
  it('is the input with its own coordinate as origin, and nothing that its producer sent under names of ours', () => {
    const forged = encodeOrigin({ topic: 'x', incarnation: 'x', partition: 9, sequence: 9n, appendTime: 9 });
    const headers = new Map([...input.headers, [headerNames.origin, forged], [headerNames.runRouteSteps, Buffer.from('r/x')], [headerNames.redriveOf, Buffer.from('x')]]);
    const record = replayRecord({ ...input, headers }, undefined, 4);
    expect(record).toMatchObject({ topic: 'replay', key: input.key, value: input.value });
    expect(text(record.headers)).toEqual({ traceparent: '00-abc', 'labelstream.origin': '3 41 1700000000000 b0c1 text.events' });
    expect(text(replayRecord(input, ['r/a', 'r/b'], 4).headers)['labelstream.run.route-steps']).toBe('r/a,r/b');
  });
});

describe('the marks of redrives that are still needed', () => {
  const marks = { topic: topics.redrive, partition: 0 };
  const needed = ({ broker, clock }: Fixture): Promise<bigint | undefined> => clock.drive(marksNeededFrom(broker.connect().transport, marks, new AbortController().signal));

  // The oldest is in the first, in the last, and between two that are younger; one partition is empty.
  for (const appended of [[0, 1, 2], [2, 1, 0], [1, 0, 2]]) {
    it(`begin at the oldest dead letter of all partitions, with ages ${appended.join(', ')}`, async () => {
      const fixture = createFixture({ [topics.deadLetters]: 4, [topics.redrive]: 1 });
      fixture.broker.append([textRecord(marks, 'older than all')]);
      for (const turn of [0, 1, 2]) {
        await fixture.clock.pass(1_000);
        fixture.broker.append([textRecord({ topic: topics.deadLetters, partition: appended.indexOf(turn) }, 'dead'), textRecord(marks, `mark ${turn}`)]);
      }
      expect(await needed(fixture)).toBe(fixture.broker.records(marks)[1]!.sequence);
    });
  }

  it('are none where there are no dead letters', async () => {
    const fixture = createFixture({ [topics.deadLetters]: 2, [topics.redrive]: 1 });
    fixture.broker.append([textRecord(marks, 'mark')]);
    expect(await needed(fixture)).toBeUndefined();
  });
});
