import { expect, test } from 'vitest';
import { createGate } from '../../../bench/dbscan/gate.ts';
import { noHeaders } from '../../../src/core/records.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import type { AssignedPartition } from '../../../src/pipeline/transport.ts';
import { openBenchLog } from '../../../bench/dbscan/bench-log.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

test('records are read up to where the gate is open, after a seek too, and an abort ends the wait', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-gate-'));
  const gate = createGate(await openBenchLog(directory), systemClock);
  const { transport } = gate;
  await transport.createTopics([{ topic: 'features', partitionCount: 1 }]);
  await transport.append(Array.from({ length: 10 }, (_, index) => ({ topic: 'features', partition: 0, key: null, value: Buffer.from(String(index)), headers: noHeaders })));
  const assigned = Promise.withResolvers<AssignedPartition>();
  await transport.subscribe({
    group: 'test',
    topics: ['features'],
    delivery: 'exactly-once',
    listener: {
      assigned: ([partition]) => {
        assigned.resolve(partition!);
        return Promise.resolve();
      },
      revoked: () => Promise.resolve(),
      failed: (error) => assigned.reject(error),
    },
  });
  const partition = await assigned.promise;
  const read = async (signal = new AbortController().signal): Promise<string> =>
    (await partition.poll({ records: 4, bytes: 1e6 }, signal)).map(({ value }) => value.toString()).join('');
  partition.seek('0');
  const waiting = read();
  gate.open(3n);
  expect(await waiting).toBe('012');
  gate.open(9n);
  expect([await read(), await read()]).toEqual(['3456', '78']);
  expect(await read(AbortSignal.timeout(10))).toBe('');
  partition.seek('7');
  expect(await read()).toBe('78');
  await transport.close();
  await rm(directory, { recursive: true });
});
