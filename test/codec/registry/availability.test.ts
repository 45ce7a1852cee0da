// Waiting together for a service that is away, in time that passes only when all wait.
import { expect, test } from 'vitest';
import { createAvailability } from '../../../src/codec/registry/availability.ts';
import { codecError } from '../../../src/core/errors/codec.ts';
import { registryError } from '../../../src/core/errors/registry.ts';
import { createVirtualClock } from '../../pipeline/virtual-clock.ts';
import { never, rejectionCode } from './registry-fixture.ts';

function availabilityOf(patience: 'unbounded' | 'once' = 'unbounded') {
  const clock = createVirtualClock();
  const told: string[] = [];
  const waits: number[] = [];
  const availability = createAvailability({
    clock, random: () => 0, patience, backOffBaseMs: 1_000, backOffCapMs: 60_000, requestsMax: 4,
    observer: {
      unavailable: (_error, failures, retryInMs) => {
        told.push(String(failures));
        waits.push(retryInMs);
      },
      available: () => told.push('available'),
      abandoned: () => told.push('abandoned'),
    },
  });
  return { clock, told, waits, ...availability };
}

const outage = (): Error => registryError('LS_REGISTRY_UNAVAILABLE', 'away');

test('an outage of ten minutes: one probe at a time, after waits that double to the cap, and then all go on', async () => {
  const { clock, told, waits, whenAvailable } = availabilityOf();
  let atOnce = 0;
  let mostAtOnce = 0;
  let attempts = 0;
  const attempt = async (): Promise<number> => {
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    attempts += 1;
    // Each probe takes a second.
    await clock.sleep(1_000);
    atOnce -= 1;
    if (clock.elapsedMs() < 600_000) throw outage();
    return clock.elapsedMs();
  };
  const first = whenAvailable(attempt, never);
  await clock.pass(500);
  const others = Array.from({ length: 50 }, async () => whenAvailable(attempt, never));
  const finished = await clock.drive(Promise.all([first, ...others]));
  expect(Math.min(...finished)).toBeLessThan(600_000 + 32_000);
  expect(waits.slice(0, 8)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect(told.at(-1)).toBe('available');
  // Four were on their way when the first failed; they count as one failure.
  expect(told[0]).toBe('1');
  expect(attempts).toBeLessThan(30 + 51);
  expect(mostAtOnce).toBe(4);
});

test('while it is away nobody but the probe asks', async () => {
  const { clock, whenAvailable } = availabilityOf();
  let away = true;
  let atOnce = 0;
  const attempt = async (): Promise<string> => {
    expect(++atOnce).toBe(1);
    await clock.sleep(10);
    atOnce -= 1;
    if (away) throw outage();
    return 'done';
  };
  const first = whenAvailable(attempt, never);
  await clock.pass(20);
  const others = Array.from({ length: 20 }, async () => whenAvailable(attempt, never));
  await clock.pass(20_000);
  away = false;
  expect(new Set(await clock.drive(Promise.all([first, ...others])))).toEqual(new Set(['done']));
});

test('one question that always fails does not keep the others from their answers', async () => {
  const { clock, whenAvailable } = availabilityOf();
  const leaving = new AbortController();
  const hopeless = whenAvailable(() => Promise.reject(outage()), leaving.signal);
  await clock.pass(5_000);
  const others = Array.from({ length: 10 }, async (_, index) => whenAvailable(() => Promise.resolve(index), never));
  expect(await clock.drive(Promise.all(others))).toEqual(Array.from({ length: 10 }, (_, index) => index));
  leaving.abort(new Error('left'));
  await expect(clock.drive(hopeless)).rejects.toThrow('left');
});

test('what is no outage is the answer, also in the middle of one', async () => {
  const { clock, told, whenAvailable } = availabilityOf();
  let failures = 2;
  const refused = whenAvailable(() => Promise.reject(failures-- > 0 ? outage() : codecError('LS_CODEC_FORMAT', 'wrong')), never);
  expect(await clock.drive(rejectionCode(refused))).toBe('LS_CODEC_FORMAT');
  expect(told).toEqual(['1', '2', 'available']);
});

test('without patience a failure is told at once, and repeated until it is time to ask again', async () => {
  const { clock, told, whenAvailable } = availabilityOf('once');
  let attempts = 0;
  const attempt = (): Promise<never> => {
    attempts += 1;
    return Promise.reject(outage());
  };
  for (let count = 0; count < 5; count++) expect(await rejectionCode(whenAvailable(attempt, never))).toBe('LS_REGISTRY_UNAVAILABLE');
  expect(attempts).toBe(1);
  await clock.pass(501);
  expect(await rejectionCode(whenAvailable(attempt, never))).toBe('LS_REGISTRY_UNAVAILABLE');
  expect(attempts).toBe(2);
  await clock.pass(1_001);
  expect(await whenAvailable(() => Promise.resolve('there'), never)).toBe('there');
  expect(told).toEqual(['1', 'abandoned', '2', 'abandoned', 'available']);
});

test('the last who leaves says that nobody waits any more, and the next failure that somebody does', async () => {
  const { clock, told, whenAvailable } = availabilityOf();
  const leaving = [new AbortController(), new AbortController()];
  const waits = leaving.map(async ({ signal }) => rejectionCode(whenAvailable(() => Promise.reject(outage()), signal)));
  await clock.pass(600);
  expect(told).toEqual(['1', '2']);
  leaving[0]?.abort(new Error('first'));
  expect(await clock.drive(Promise.resolve(waits[0]))).toBe('Error: first');
  expect(told).toEqual(['1', '2']);
  leaving[1]?.abort(new Error('second'));
  expect(await clock.drive(Promise.resolve(waits[1]))).toBe('Error: second');
  expect(told).toEqual(['1', '2', 'abandoned']);
  const last = new AbortController();
  const waiting = rejectionCode(whenAvailable(() => Promise.reject(outage()), last.signal));
  await clock.pass(1_100);
  expect(told).toEqual(['1', '2', 'abandoned', '3']);
  last.abort(new Error('third'));
  await clock.drive(waiting);
  expect(await clock.drive(whenAvailable(() => Promise.resolve('there'), never))).toBe('there');
  expect(told).toEqual(['1', '2', 'abandoned', '3', 'abandoned', 'available']);
});
