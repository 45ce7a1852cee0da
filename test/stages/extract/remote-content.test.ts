// Whom EXTRACT asks how often for content that is elsewhere: over a fetcher that does as it is told, and a clock that passes only when all wait.
import { describe, expect, test } from 'vitest';
import { createBudget } from '../../../src/core/budget.ts';
import type { LabelstreamError } from '../../../src/core/errors/error.ts';
import { referenceError, type ReferenceErrorCode } from '../../../src/core/errors/reference.ts';
import type { Reference } from '../../../src/core/events.generated.ts';
import { createRetry } from '../../../src/pipeline/retry.ts';
import type { ProcessContext } from '../../../src/pipeline/stage.ts';
import type { ContentSource } from '../../../src/stages/extract/content-fetcher.ts';
import { createRemoteContent, type HeldContent, type RemoteContentOptions } from '../../../src/stages/extract/remote-content.ts';
import { createVirtualClock, type VirtualClock } from '../../pipeline/virtual-clock.ts';

const heldBytesMax = 1_000;
const retryMsMax = 60_000;

/** `https://host/x` is of a host, `container:x` of a container. */
const sourceOf = (uri: string): ContentSource => (uri.startsWith('container:') ? { kind: 'container', name: 'photos' } : { kind: 'http', name: new URL(uri).origin });

type Attempt = { readonly uri: string; readonly atMs: number };

type Scene = {
  readonly clock: VirtualClock;
  readonly attempts: Attempt[];
  readonly told: string[];
  readonly read: (uri: string, sizeBytes?: number, signal?: AbortSignal) => Promise<HeldContent>;
  /** At most so many at once, per host. */
  readonly busiest: Map<string, number>;
};

type Answer = (uri: string, attempt: number, signal: AbortSignal) => Promise<Uint8Array>;

function scene(answer: (clock: VirtualClock) => Answer, fields: Partial<RemoteContentOptions> = {}): Scene {
  const clock = createVirtualClock();
  const attempts: Attempt[] = [];
  const told: string[] = [];
  const busiest = new Map<string, number>();
  const busy = new Map<string, number>();
  const fetchContent = async ({ uri }: Reference, signal: AbortSignal): Promise<Uint8Array> => {
    attempts.push({ uri, atMs: clock.elapsedMs() });
    const { name } = sourceOf(uri);
    busy.set(name, (busy.get(name) ?? 0) + 1);
    busiest.set(name, Math.max(busiest.get(name) ?? 0, busy.get(name) ?? 0));
    try {
      return await answer(clock)(uri, attempts.filter((each) => each.uri === uri).length, signal);
    } finally {
      busy.set(name, (busy.get(name) ?? 0) - 1);
    }
  };
  const observer: RemoteContentOptions['observer'] = {
    away: ({ name }, error) => void told.push(`${name} away: ${(error as LabelstreamError).code}`),
    back: ({ name }, answers) => void told.push(`${name} ${answers ? 'back' : 'given up'}`),
  };
  const fetcher = { sourceOf, fetchContent, fetchUpTo: () => Promise.reject(new Error('not asked for')), close: () => Promise.resolve() };
  const remote = createRemoteContent({ fetcher, clock, retryMsMax, requestsMax: 8, requestsPerHostMax: 2, observer, ...fields }, createBudget(heldBytesMax), heldBytesMax);
  const contextOf = (signal: AbortSignal): ProcessContext => ({
    signal,
    retry: (operation, patience) => createRetry({ ...(patience ?? { policy: { attemptsMax: 1, baseMs: 1, capMs: 1, waitedForCodes: new Set<string>() } }), clock, random: () => 1, signal })(operation),
  });
  const read: Scene['read'] = (uri, sizeBytes = 1, signal = new AbortController().signal) => remote({ uri, sha256: '', sizeBytes: BigInt(sizeBytes) }, contextOf(signal));
  return { clock, attempts, told, read, busiest };
}

const failing = (code: ReferenceErrorCode, details: Readonly<Record<string, number | string>> = {}): Promise<never> => Promise.reject(referenceError(code, `a failure: ${code}`, details));
const found = Promise.resolve(new Uint8Array(1));
const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'read', (error: unknown) => (error as LabelstreamError).code);

describe('what is tried again', () => {
  test.each<ReferenceErrorCode>(['LS_REFERENCE_UNAVAILABLE', 'LS_REFERENCE_UNREACHABLE'])('%s is, for a bounded time', async (code) => {
    const { clock, read, attempts } = scene(() => () => failing(code));
    expect(await clock.drive(codeOf(read('https://a/1')))).toBe(code);
    expect(attempts.length).toBeGreaterThan(5);
    expect(clock.elapsedMs()).toBeGreaterThan(retryMsMax - 10_001);
    expect(clock.elapsedMs()).toBeLessThanOrEqual(retryMsMax);
  });

  test.each<ReferenceErrorCode>(['LS_REFERENCE_NOT_FOUND', 'LS_REFERENCE_MISMATCH', 'LS_REFERENCE_ADDRESS', 'LS_REFERENCE_DENIED', 'LS_REFERENCE_NOT_ALLOWED', 'LS_REFERENCE_REDIRECT', 'LS_REFERENCE_ENCODED'])('%s is not', async (code) => {
    const { clock, read, attempts } = scene(() => () => failing(code));
    expect(await clock.drive(codeOf(read('https://a/1')))).toBe(code);
    expect(attempts).toHaveLength(1);
  });

  test('what passes is read; when a host says how long to wait, not before', async () => {
    const { clock, read, attempts } = scene(() => (_uri, attempt) => (attempt < 3 ? failing('LS_REFERENCE_UNAVAILABLE', { retryAfterMs: 20_000 }) : found));
    expect((await clock.drive(read('https://a/1'))).bytes).toHaveLength(1);
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 20_000, 40_000]);
    const longer = scene(() => () => failing('LS_REFERENCE_UNAVAILABLE', { retryAfterMs: retryMsMax + 1 }));
    expect(await longer.clock.drive(codeOf(longer.read('https://a/1')))).toBe('LS_REFERENCE_UNAVAILABLE');
    expect(longer.clock.elapsedMs()).toBe(0);
  });

  test.each<ReferenceErrorCode>(['LS_REFERENCE_CONTAINER_UNREACHABLE', 'LS_REFERENCE_CONTAINER_REFUSED'])('%s is, without bound, and is told once', async (code) => {
    const day = 86_400_000;
    const { clock, read, told } = scene((time) => () => (time.elapsedMs() < day ? failing(code) : found));
    expect(await clock.drive(codeOf(read('container:1')))).toBe('read');
    expect(clock.elapsedMs()).toBeLessThan(day + 60_000);
    expect(told).toEqual([`photos away: ${code}`, 'photos back']);
  });

  test('the time counts from the first failure, not from the wait for a place', async () => {
    const { clock, read, attempts } = scene((time) => async (uri, attempt) => {
      await time.sleep(50_000);
      return uri.endsWith('/last') && attempt === 1 ? failing('LS_REFERENCE_UNAVAILABLE') : found;
    });
    const slow = Array.from({ length: 8 }, (_, index) => read(`https://a/${index}`));
    expect(await clock.drive(codeOf(read('https://a/last')))).toBe('read');
    await Promise.all(slow);
    expect(attempts.filter(({ uri }) => uri.endsWith('/last')).map(({ atMs }) => atMs)[0]).toBe(200_000);
  });
});

describe('a host that does not answer', () => {
  test('is asked by one at a time, for all who want something of it, and all go on when it answers', async () => {
    const { clock, read, attempts, told } = scene((time) => async () => {
      await time.sleep(10_000);
      return time.elapsedMs() < 45_000 ? failing('LS_REFERENCE_UNREACHABLE', { reason: 'ECONNREFUSED' }) : found;
    });
    const reading = Promise.all(Array.from({ length: 100 }, (_, index) => read(`https://a/${index}`)));
    await clock.drive(reading);
    const during = attempts.filter(({ atMs }) => atMs < 35_000);
    expect(during.length).toBeLessThan(8);
    expect(told).toEqual(['https://a away: LS_REFERENCE_UNREACHABLE', 'https://a back']);
    expect(new Set(attempts.filter(({ atMs }) => atMs >= 35_000).map(({ uri }) => uri)).size).toBe(100);
  });

  test('makes dead letters after their time, which tell nothing of others, and is forgotten then', async () => {
    const { clock, read, told } = scene(() => () => failing('LS_REFERENCE_UNREACHABLE', { reason: 'ECONNREFUSED' }));
    const messages = await clock.drive(Promise.all(Array.from({ length: 50 }, (_, index) => read(`https://a/${index}`).then(() => '', (error: unknown) => (error as Error).message))));
    expect(messages).toHaveLength(50);
    expect(messages.filter((message) => message !== 'a failure: LS_REFERENCE_UNREACHABLE' && message !== 'https://a did not answer when it was last asked: ECONNREFUSED')).toEqual([]);
    expect(clock.elapsedMs()).toBeLessThanOrEqual(retryMsMax);
    expect(told).toEqual(['https://a away: LS_REFERENCE_UNREACHABLE', 'https://a given up']);
  });

  test('is asked by another when the one who asked for all was cancelled', async () => {
    const controller = new AbortController();
    const { clock, read } = scene((time) => async (uri, attempt, signal) => {
      if (uri.endsWith('/cancelled') && attempt > 1) {
        await time.sleep(1_000_000, signal);
        signal.throwIfAborted();
      }
      return time.elapsedMs() < 100 ? failing('LS_REFERENCE_UNREACHABLE') : found;
    });
    const cancelled = codeOf(read('https://a/cancelled', 1, controller.signal));
    await clock.pass(2_000);
    const other = codeOf(read('https://a/other'));
    await clock.pass(5_000);
    controller.abort(new Error('lost'));
    await cancelled;
    expect(await clock.drive(other)).toBe('read');
  });
});

describe('nobody stalls', () => {
  test('one host has its places and no more, all have theirs together', async () => {
    const { clock, read, busiest, attempts } = scene((time) => async () => {
      await time.sleep(100);
      return found;
    }, { requestsMax: 5 });
    const hosts = ['https://a', 'https://b', 'https://c'];
    await clock.drive(Promise.all(Array.from({ length: 60 }, (_, index) => read(`${hosts[index % 3] ?? ''}/${index}`).then(({ release }) => release()))));
    expect(Object.fromEntries(busiest)).toEqual({ 'https://a': 2, 'https://b': 2, 'https://c': 2 });
    for (const { atMs } of attempts) expect(attempts.filter((each) => each.atMs === atMs).length).toBeLessThanOrEqual(5);
  });

  test('of a host that hangs, however large what it should give', async () => {
    const { clock, read } = scene((time) => (uri, _attempt, signal) => (uri.startsWith('https://hangs') ? time.sleep(1e9, signal).then(() => found) : found));
    const controller = new AbortController();
    // Their sizes are many times what may be held at once.
    const hanging = Array.from({ length: 20 }, (_, index) => codeOf(read(`https://hangs/${index}`, 500, controller.signal)));
    for (let index = 0; index < 50; index++) {
      const { release } = await clock.drive(Promise.race([read(`https://good/${index}`, 400), clock.sleep(1_000).then(() => Promise.reject(new Error('stalled')))]));
      release();
    }
    controller.abort();
    await Promise.all(hanging);
  });

  test('what is between two attempts holds nothing', async () => {
    const { clock, read } = scene(() => (uri) => (uri.startsWith('https://fails') ? failing('LS_REFERENCE_UNAVAILABLE') : found));
    const failures = Array.from({ length: 20 }, (_, index) => codeOf(read(`https://fails/${index}`, heldBytesMax)));
    await clock.pass(1_000);
    for (let index = 0; index < 20; index++) (await clock.drive(read('https://good/1', heldBytesMax))).release();
    expect(clock.elapsedMs()).toBe(1_000);
    await clock.drive(Promise.all(failures));
  });

  test('content that is held counts until it is given back, and what is cancelled while it waits counts for nothing', async () => {
    const { clock, read, attempts } = scene(() => () => found);
    const first = await clock.drive(read('https://a/1', heldBytesMax));
    const controller = new AbortController();
    const cancelled = read('https://b/2', 10, controller.signal);
    const last = read('https://c/3', 10);
    await clock.pass(1_000);
    controller.abort(new Error('parked'));
    await expect(cancelled).rejects.toThrow('parked');
    expect(attempts).toHaveLength(1);
    first.release();
    await clock.drive(last);
    expect(attempts).toHaveLength(2);
  });
});
