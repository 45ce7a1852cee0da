import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import type { LogStore } from '../../../src/transports/log/log-store.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import { openLog, type OpenLogOptions } from '../../../src/transports/log/open-log.ts';
import { acquireOwnerLock } from '../../../src/transports/log/owner-lock.ts';
import { code, output, outputs, readAll, roomy, until, values } from '../../conformance/transport-harness.ts';
import { startLogProcess } from './child-process.ts';
import { logOptions, temporaryDirectory } from './log-fixtures.ts';

const never = new AbortController().signal;
const partition = { topic: 'events', partition: 0 };

/** Time passes when it is slept, and at no other time: waits are as long as they say and take none. Meanwhile what time it is runs back. */
function steppingClock() {
  let elapsedMs = 0;
  return {
    nowMs: () => -elapsedMs,
    elapsedMs: () => elapsedMs,
    sleep: async (durationMs: number, signal?: AbortSignal) => {
      await systemClock.sleep(1, signal);
      elapsedMs += durationMs;
    },
  };
}

function open(directory: string, role: OpenLogOptions['role'], more: Partial<OpenLogOptions> = {}): Promise<LogStore> {
  return openLog({ ...logOptions(directory, role), ...more });
}

async function stored(store: LogStore): Promise<readonly string[]> {
  return values(await readAll(createLogTransport(store), partition));
}

describe('the owner', () => {
  test('is one: a second run is refused at once and told who owns the directory', async () => {
    const directory = await temporaryDirectory();
    const owner = startLogProcess();
    expect(await owner.tell({ do: 'open', directory, role: 'owner-required' })).toBeNull();
    await expect(open(directory, 'owner-required')).rejects.toMatchObject({ code: 'LS_LOG_OWNED', details: { pid: owner.pid } });
    expect(await owner.tell({ do: 'close' })).toBeNull();
    await (await open(directory, 'owner-required')).close();
  });

  test('serves other processes: what they append it reads, and what it appends wakes them', async () => {
    const directory = await temporaryDirectory();
    const store = await open(directory, 'owner-required');
    const transport = createLogTransport(store);
    await transport.createTopics([{ topic: 'events', partitionCount: 1 }]);
    const other = startLogProcess();
    expect(await other.tell({ do: 'open', directory, role: 'any' })).toBeNull();
    const waiting = transport.read(partition, undefined, roomy, never);
    expect(await other.tell({ do: 'append', topic: 'events', values: ['theirs'] })).toBeNull();
    expect(values(await waiting)).toEqual(['theirs']);
    await transport.append(outputs('events', 0, 0, 2));
    expect(await other.tell({ do: 'read', topic: 'events' })).toEqual(['theirs', '0', '1']);
    expect(await other.tell({ do: 'append', topic: 'absent', values: ['x'] })).toBe('LS_TRANSPORT_TOPIC_MISSING');
    await transport.close();
  });

  test('that is killed leaves what it acknowledged, and another process takes over', async () => {
    const directory = await temporaryDirectory();
    const first = await open(directory, 'any');
    await first.createTopic('events', 1);
    await first.close();
    const owner = startLogProcess();
    await owner.tell({ do: 'open', directory, role: 'owner-required' });
    const store = await open(directory, 'any');
    await owner.tell({ do: 'append', topic: 'events', values: ['before'] });
    const waiting = store.waitForRecords(partition, 1n, never);
    await owner.kill();
    // The same store, now the owner itself: no call fails but those that were in doubt.
    await store.commit({ records: [output('events', 0, 'after')], checkpoints: [] });
    await waiting;
    expect(await stored(store)).toEqual(['before', 'after']);
    const heir = startLogProcess();
    expect(await heir.tell({ do: 'open', directory, role: 'any' })).toBeNull();
    expect(await heir.tell({ do: 'read', topic: 'events' })).toEqual(['before', 'after']);
    await store.close();
  });

  test('that closes is followed by one of those it served', async () => {
    const directory = await temporaryDirectory();
    const owner = await open(directory, 'owner-required');
    await owner.createTopic('events', 1);
    const guests = [await open(directory, 'any'), await open(directory, 'any')];
    const waits = guests.map((guest) => guest.waitForRecords(partition, 0n, never));
    await owner.close();
    await guests[0]!.commit({ records: [output('events', 0, 'from one guest')], checkpoints: [] });
    await Promise.all(waits);
    expect(await stored(guests[1]!)).toEqual(['from one guest']);
    await Promise.all(guests.map((guest) => guest.close()));
  });
});

describe('an owner of role any', () => {
  test('hands over to run while records flow: nothing lost, doubled or in doubt', async () => {
    const directory = await temporaryDirectory();
    const owner = await open(directory, 'any');
    await owner.createTopic('events', 3);
    const guest = await open(directory, 'any');
    let stop = false;
    const flow = async (store: LogStore, index: number): Promise<number> => {
      let count = 0;
      for (; !stop; count++) await store.commit({ records: [output('events', index, String(count))], checkpoints: [] });
      return count;
    };
    const flows = [flow(owner, 0), flow(guest, 1)];
    await until(async () => (await guest.bounds({ topic: 'events', partition: 1 })).endSequence > 3n);
    const waiting = vi.fn();
    const run = await open(directory, 'owner-required', { waiting });
    expect(waiting).toHaveBeenCalledOnce();
    const seen = await Promise.all([0, 1].map((index) => run.bounds({ topic: 'events', partition: index })));
    // Both go on through the new owner.
    await until(async () => {
      const now = await Promise.all([0, 1].map((index) => run.bounds({ topic: 'events', partition: index })));
      return now.every(({ endSequence }, index) => endSequence > seen[index]!.endSequence + 3n);
    });
    stop = true;
    const counts = await Promise.all(flows);
    for (const [index, count] of counts.entries()) {
      const read = values(await readAll(createLogTransport(run), { topic: 'events', partition: index }));
      expect(read).toEqual(Array.from({ length: count }, (_, value) => String(value)));
    }
    await expect(open(directory, 'owner-required')).rejects.toMatchObject({ code: 'LS_LOG_OWNED', details: { pid: process.pid } });
    await Promise.all([guest.close(), owner.close()]);
    await run.close();
  });

  test('keeps those who wait for records waiting through a handover', async () => {
    const directory = await temporaryDirectory();
    const owner = await open(directory, 'any');
    await owner.createTopic('events', 1);
    const guest = await open(directory, 'any');
    const woken = vi.fn();
    const waits = [owner, guest].map((store) => store.waitForRecords(partition, 0n, never).then(woken));
    const aborted = new AbortController();
    const givenUp = guest.waitForRecords(partition, 0n, aborted.signal);
    const run = await open(directory, 'owner-required');
    expect(await stored(guest)).toEqual([]);
    expect(woken).not.toHaveBeenCalled();
    aborted.abort();
    await givenUp;
    await run.commit({ records: [output('events', 0, 'x')], checkpoints: [] });
    await Promise.all(waits);
    await Promise.all([guest.close(), owner.close()]);
    await run.close();
  });
});

describe('an owner that does not answer', () => {
  test('is waited for, for a bounded time, with a message', async () => {
    const directory = await temporaryDirectory();
    const lock = await acquireOwnerLock(directory);
    const waiting = vi.fn();
    const bounded = (role: OpenLogOptions['role']) => code(open(directory, role, { clock: steppingClock(), waitMsMax: 200, waiting }));
    expect(await bounded('any')).toBe('LS_LOG_OWNER_UNREACHABLE');
    expect(await bounded('owner-required')).toBe('LS_LOG_OWNED');
    expect(waiting).toHaveBeenCalledTimes(2);
    const patient = open(directory, 'owner-required', { waiting });
    await until(() => waiting.mock.calls.length === 3);
    lock!.release();
    await (await patient).close();
  });
});

describe('a closed log', () => {
  test('refuses calls, in both roles', async () => {
    const directory = await temporaryDirectory();
    const owner = await open(directory, 'owner-required');
    const guest = await open(directory, 'any');
    for (const store of [guest, owner]) {
      const waiting = code(store.topics().then(() => store.close()));
      expect(await waiting).toBe('resolved');
      expect(await code(store.topics())).toBe('LS_LOG_CLOSED');
      expect(await code(store.commit({ records: [], checkpoints: [] }))).toBe('LS_LOG_CLOSED');
      await store.close();
    }
  });

  test('that cannot be opened leaves the directory to others', async () => {
    const directory = await temporaryDirectory();
    const failing = logOptions(join(directory, 'log'), 'any');
    const fileSystem = { ...failing.fileSystem, makeDirectory: () => Promise.reject(new Error('no space')) };
    await expect(openLog({ ...failing, fileSystem })).rejects.toThrow('no space');
    await (await open(join(directory, 'log'), 'owner-required')).close();
  });
});
