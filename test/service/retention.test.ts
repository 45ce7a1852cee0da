// What the settings say of retention is what a log does, and of `features` nothing goes that the snapshots kept do not hold (SEMANTICS.md, rule 17).
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openAccess, type Access } from '../../src/compose.ts';
import { loadConfiguration, type Configuration } from '../../src/config/load.ts';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { retentionLimits } from '../../src/open-transport.ts';
import { createProcessContext } from '../../src/process-context.ts';
import { withDirectory, writeConfiguration } from './program.ts';

const load = async (directory: string, retention: string) => {
  const text = `dataDirectory: data\ntransport: { kind: log, partitionCount: 1, segmentBytes: 4096, retention: ${retention} }\n`;
  return loadConfiguration({ file: await writeConfiguration(directory, text), environment: {}, assignments: [], tasks: [] });
};

const logSettings = ({ transport }: Configuration) => {
  if (transport.kind !== 'log') throw new Error('the embedded log was asked for');
  return transport.retention;
};

test('limits of a topic come before those of all, -1 lifts them, and what is no limit is refused', async () => {
  await withDirectory(async (directory) => {
    const { configuration } = await load(directory, '{ ms: 1000, bytes: 5000, topics: { features: { ms: -1 }, text.events: { ms: 7 } } }');
    const retention = logSettings(configuration!);
    expect(retention.checkIntervalMs).toBe(300_000);
    expect(retentionLimits(retention, topics.labels)).toEqual({ ms: 1000, bytes: 5000 });
    expect(retentionLimits(retention, topics.features)).toEqual({ ms: undefined, bytes: 5000 });
    expect(retentionLimits(retention, topics.text)).toEqual({ ms: 7, bytes: 5000 });
    expect(retentionLimits(logSettings((await load(directory, '{}')).configuration!), topics.text)).toEqual({ ms: undefined, bytes: undefined });
    for (const wrong of ['{ ms: 0 }', '{ bytes: -2 }', '{ topics: { labls: { ms: 1 } } }']) {
      const { mistakes } = await load(directory, wrong);
      expect(mistakes, wrong).toHaveLength(1);
    }
  });
});

test('features stay while no snapshot holds them, and then from the oldest snapshot kept on', async () => {
  await withDirectory(async (directory) => {
    const { configuration } = await load(directory, '{ ms: 1, bytes: 1, checkIntervalMs: 20 }');
    const access = await openAccess(configuration!, await createProcessContext(pino({ level: 'silent' })), 'processing');
    try {
      // The other topic shows that retention has looked.
      for (const topic of [topics.features, topics.labels]) for (let number = 0; number < 10; number++) await appendTo(access, topic);
      await expect.poll(() => startOf(access, topics.labels)).toBe(10n);
      expect(await startOf(access, topics.features)).toBe(0n);
      const { incarnation } = await access.transport.describeTopic(topics.features);
      for (const sequence of [3n, 6n, 8n]) {
        await access.stateStore.write({ stage: 'cluster', topic: topics.features, incarnation, partition: 0, sequence, position: String(sequence + 1n) }, [Buffer.from('state')]);
      }
      await expect.poll(() => startOf(access, topics.features)).toBe(4n);
      await access.stateStore.write({ stage: 'cluster', topic: topics.features, incarnation, partition: 0, sequence: 9n, position: '10' }, [Buffer.from('state')]);
      // The oldest of three is that at 6 now.
      await expect.poll(() => startOf(access, topics.features)).toBe(7n);
      await appendTo(access, topics.labels);
      await expect.poll(() => startOf(access, topics.labels)).toBe(11n);
      expect(await startOf(access, topics.features)).toBe(7n);
    } finally {
      await access.close();
    }
  });
});

/** A record to a segment: two do not fit. */
function appendTo({ transport }: Access, topic: string): Promise<void> {
  return transport.append([{ topic, partition: 0, key: null, value: Buffer.alloc(3000), headers: noHeaders }]);
}

async function startOf({ transport }: Access, topic: string): Promise<bigint> {
  return (await transport.bounds({ topic, partition: 0 })).start.sequence;
}
