// What the settings say of retention is what a log does, and of `features` nothing goes that the snapshots kept do not hold (SEMANTICS.md, rule 17).
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAccess, type Access } from '../../src/open-access.ts';
import { loadConfiguration, type Configuration } from '../../src/config/load.ts';
import { noHeaders } from '../../src/core/records.ts';
import { topics } from '../../src/core/topics.ts';
import { retentionLimits } from '../../src/open-transport.ts';
import { createProcessContext, type AccessRole } from '../../src/process-context.ts';
import { withDirectory, writeConfiguration } from './program.ts';

const load = async (directory: string, retention: string, more = '') => {
  const text = `dataDirectory: data\ntransport: { kind: log, partitionCount: 1, segmentBytes: 4096, retention: ${retention} }\n${more}`;
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
      await commit(access, 10n);
      for (const sequence of [3n, 6n, 8n]) await writeSnapshot(access, sequence);
      await expect.poll(() => startOf(access, topics.features)).toBe(4n);
      await writeSnapshot(access, 9n);
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

test('snapshots above the committed position, of a history that the log lost, let nothing of features go', async () => {
  await withDirectory(async (directory) => {
    const { configuration } = await load(directory, '{ ms: 1, checkIntervalMs: 20 }');
    const access = await openAccess(configuration!, await createProcessContext(pino({ level: 'silent' })), 'processing');
    try {
      for (const sequence of [7n, 8n]) await writeSnapshot(access, sequence);
      for (const topic of [topics.features, topics.labels]) for (let number = 0; number < 10; number++) await appendTo(access, topic);
      await expect.poll(() => startOf(access, topics.labels)).toBe(10n);
      expect(await startOf(access, topics.features), 'nothing is committed').toBe(0n);
      await commit(access, 7n);
      await writeSnapshot(access, 3n);
      await expect.poll(() => startOf(access, topics.features)).toBe(4n);
      await appendTo(access, topics.labels);
      await expect.poll(() => startOf(access, topics.labels)).toBe(11n);
      expect(await startOf(access, topics.features), 'that at 7 restores nothing yet').toBe(4n);
    } finally {
      await access.close();
    }
  });
});

test('what marks a dead letter as redriven stays as long as it, whatever the limits', async () => {
  await withDirectory(async (directory) => {
    const open = async (retention: string, role: AccessRole) => openAccess((await load(directory, retention)).configuration!, await createProcessContext(pino({ level: 'silent' })), role);
    const filling = await open('{ ms: -1 }', 'owner-required');
    for (const topic of [topics.redrive, topics.deadLetters, topics.redrive, topics.redrive, topics.labels]) {
      // Times of their own.
      await filling.context.clock.sleep(5);
      await appendTo(filling, topic);
    }
    await filling.close();
    const kept = await open(`{ ms: 1, checkIntervalMs: 20, topics: { ${topics.deadLetters}: { ms: -1 } } }`, 'processing');
    try {
      await expect.poll(() => startOf(kept, topics.labels)).toBe(1n);
      // The first is older than every dead letter.
      await expect.poll(() => startOf(kept, topics.redrive)).toBe(1n);
      await appendTo(kept, topics.labels);
      await expect.poll(() => startOf(kept, topics.labels)).toBe(2n);
      expect(await startOf(kept, topics.redrive)).toBe(1n);
    } finally {
      await kept.close();
    }
    const gone = await open('{ ms: 1, checkIntervalMs: 20 }', 'processing');
    try {
      await expect.poll(() => startOf(gone, topics.redrive)).toBe(3n);
    } finally {
      await gone.close();
    }
  });
});

describe('a container that never answers where the snapshots are', () => {
  const empty = '<?xml version="1.0"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>';
  let asked = 0;
  let silent: Server;
  let port: number;
  beforeAll(async () => {
    silent = createServer((request, response) => {
      // What a start asks besides is answered: it would wait for that, as it should.
      if (!/prefix=cluster(%2F|\/)features/.test(request.url ?? '')) response.writeHead(200, { 'content-type': 'application/xml' }).end(empty);
      else asked += 1;
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    ({ port } = silent.address() as AddressInfo);
  });
  afterAll(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const state = (): string =>
    `state: { kind: blob, container: snapshots, connectionString: "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=${randomBytes(32).toString('base64')};BlobEndpoint=http://127.0.0.1:${port}/a;" }\n`;

  test('keeps no other topic from its retention, and no service from closing', async () => {
    await withDirectory(async (directory) => {
      const { configuration } = await load(directory, '{ ms: 1, checkIntervalMs: 20 }', state());
      const said: string[] = [];
      const context = await createProcessContext(pino({ level: 'error' }, { write: (line: string) => void said.push(line) }));
      // Half a minute passes at once.
      const clock = { ...context.clock, sleep: (ms: number, signal?: AbortSignal) => context.clock.sleep(ms === 30_000 ? 20 : ms, signal) };
      const access = await openAccess(configuration!, { ...context, clock }, 'processing');
      for (const topic of [topics.features, topics.labels]) for (let number = 0; number < 10; number++) await appendTo(access, topic);
      await expect.poll(() => startOf(access, topics.labels)).toBe(10n);
      expect(await startOf(access, topics.features)).toBe(0n);
      await expect.poll(() => said.join('')).toContain('LS_STATE_CONTAINER_UNREACHABLE');
      await access.close();
    });
  });

  test('does not keep a start that fails from ending', async () => {
    await withDirectory(async (directory) => {
      const context = await createProcessContext(pino({ level: 'silent' }));
      const before = await openAccess((await load(directory, '{ ms: -1 }')).configuration!, context, 'owner-required');
      await appendTo(before, topics.features);
      await before.close();
      const askedBefore = asked;
      const { configuration } = await load(directory, '{ ms: 1 }', state());
      // Its topics have one partition.
      const mistaken = { ...configuration!, transport: { ...configuration!.transport, partitionCount: 2 } };
      await expect(openAccess(mistaken, context, 'processing')).rejects.toMatchObject({ code: 'LS_TRANSPORT_PARTITION_COUNT' });
      expect(asked, 'retention asked the container').toBeGreaterThan(askedBefore);
    });
  });
});

/** Where CLUSTER goes on reading. */
async function commit({ transport, configuration }: Access, sequence: bigint): Promise<void> {
  const checkpoint = { position: String(sequence), sequence: sequence - 1n, outputsSent: 0 };
  await transport.resetGroup(`${configuration.group}-cluster`, [{ topic: topics.features, partition: 0, checkpoint }]);
}

async function writeSnapshot({ transport, stateStore }: Access, sequence: bigint): Promise<void> {
  const { incarnation } = await transport.describeTopic(topics.features);
  await stateStore.write({ stage: 'cluster', topic: topics.features, incarnation, partition: 0, sequence, position: String(sequence + 1n) }, [Buffer.from('state')]);
}

/** A record to a segment: two do not fit. */
function appendTo({ transport }: Access, topic: string): Promise<void> {
  return transport.append([{ topic, partition: 0, key: null, value: Buffer.alloc(3000), headers: noHeaders }]);
}

async function startOf({ transport }: Access, topic: string): Promise<bigint> {
  return (await transport.bounds({ topic, partition: 0 })).start.sequence;
}
