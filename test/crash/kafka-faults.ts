/** What strikes an installation, drawn from a seed, and the census of what was struck. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../src/core/clock.ts';
import { shuffled } from '../../src/core/seeded-random.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { apiKeys, type AppliedRule, type ProxyRule } from '../brokers/kafka-proxy.ts';
import type { Instance } from './kafka-instance.ts';
import { behind, requestTimeoutMs, sessionTimeoutMs, type Installation } from './kafka-installation.ts';

export type FaultCounts = { readonly kills: number; readonly zombies: number; readonly brokerKills: number; readonly leaves: number };

type Fault = keyof FaultCounts;

/** By what was struck. */
export type Census = Map<string, number>;

export const struck = {
  kills: 'instances killed',
  killsInFlight: 'of them with work waiting',
  killsStarting: 'of them while starting',
  insideARecord: 'of them inside a record of several transactions',
  zombies: 'zombies that woke and found themselves given up',
  zombiesInFlight: 'of them with a write on its way that arrived late',
  brokerKills: 'brokers killed',
  leaves: 'instances that left and joined',
  requestsHit: 'requests delayed, lost or cut',
  endsLost: 'answers to EndTxn lost',
  restarts: 'instances started again after they found no broker',
} as const;

export function count(census: Census, what: string, times = 1): void {
  census.set(what, (census.get(what) ?? 0) + times);
}

export function told(census: Census): string {
  return [...census].map(([what, times]) => `${what}: ${times}`).join('; ');
}

type Strike = { readonly installation: Installation; readonly random: Random; readonly census: Census; readonly delivery: Delivery };

const workingMsMax = 40_000;
const settleMsMax = 30_000;

/** What was struck so often at least; the test has failed where it was not. */
export type Least = Readonly<Record<string, number>>;

/** Faults beyond those that were asked for, where chance left something out. */
const extraFaultsMax = 12;

/** In an order by chance, and then more until the least is reached. */
export async function strikeAll(strike: Strike, counts: FaultCounts, least: Least): Promise<void> {
  const { installation, random, census } = strike;
  const faults = shuffled((Object.keys(counts) as Fault[]).flatMap((fault) => Array.from({ length: counts[fault] }, () => fault)), random);
  const stopDisturbing = disturbRequests(strike);
  try {
    for (const [index, fault] of faults.entries()) {
      await startAgain(strike);
      await strikeOnce(strike, fault);
      if (index % 10 === 9) console.log(`${strike.delivery}, ${index + 1} of ${faults.length} faults: ${told(census)}`);
      await delay(random() * 1_000);
    }
    for (let extra = 0; extra < extraFaultsMax; extra += 1) {
      const lacking = Object.entries(least).find(([what, times]) => (census.get(what) ?? 0) < times);
      if (lacking === undefined) break;
      await startAgain(strike);
      await strikeOnce(strike, faultFor(lacking[0]));
    }
  } finally {
    await stopDisturbing();
  }
  await startAgain(strike);
  count(census, struck.restarts, installation.instances.reduce((sum, instance) => sum + instance.endedByItself(), 0));
}

function faultFor(what: string): Fault {
  switch (what) {
    case struck.zombies:
    case struck.zombiesInFlight:
      return 'zombies';
    case struck.brokerKills:
      return 'brokerKills';
    case struck.leaves:
      return 'leaves';
    default:
      return 'kills';
  }
}

/** As a supervisor does; throws where one ended as it must not. */
async function startAgain({ installation }: Strike): Promise<void> {
  for (const instance of installation.instances) {
    instance.endedByItself();
    if (!instance.isRunning()) await installation.start(instance);
  }
}

async function strikeOnce(strike: Strike, fault: Fault): Promise<void> {
  switch (fault) {
    case 'kills':
      return killOne(strike);
    case 'zombies':
      return stopOne(strike);
    case 'brokerKills':
      return killBroker(strike);
    case 'leaves':
      return leaveAndJoin(strike);
  }
}

function anyOf({ installation, random }: Strike): Instance {
  return installation.instances[Math.floor(random() * installation.instances.length)]!;
}

/** At a random moment: of its start, or of its work. */
async function killOne(strike: Strike): Promise<void> {
  const { installation, random, census } = strike;
  const victim = anyOf(strike);
  const moment = random();
  if (random() < 0.75) await victim.working(workingMsMax);
  await delay(moment * 2_000);
  const wasWorking = victim.isWorking();
  if (!victim.isRunning()) await installation.start(victim);
  await victim.kill();
  count(census, struck.kills);
  if (!wasWorking) count(census, struck.killsStarting);
  const standing = await installation.standing();
  if (wasWorking && behind(standing) > 0) count(census, struck.killsInFlight);
  if (standing.some(({ checkpoint }) => (checkpoint?.outputsSent ?? 0) > 0)) count(census, struck.insideARecord);
  await delay(random() * 1_000);
  await installation.start(victim);
}

/**
 * The process stands still past its session, and goes on. Of the one behind the proxy a request is held back first, so that it arrives when another
 * instance has the partition; that is what fencing is for.
 */
async function stopOne(strike: Strike): Promise<void> {
  const { installation, random, census, delivery } = strike;
  const { proxy, proxied } = installation;
  const held = random() < 0.6 || census.get(struck.zombiesInFlight) === undefined;
  const victim = held ? proxied : anyOf(strike);
  await victim.working(workingMsMax);
  const kinds = delivery === 'exactly-once' ? [apiKeys.endTxn, apiKeys.txnOffsetCommit, apiKeys.produce] : [apiKeys.produce, apiKeys.offsetCommit];
  const kind = kinds[Math.floor(random() * kinds.length)]!;
  const rule = held ? proxy.on(kind, { action: 'delay', times: 1 }) : undefined;
  if (rule !== undefined) await Promise.race([rule.reached(1), delay(settleMsMax)]);
  const isHeld = (rule?.hits() ?? 0) > 0;
  victim.stopProcess();
  const said = victim.output().length;
  await delay(sessionTimeoutMs + 2_000 + random() * 3_000);
  if (random() < 0.5) rule?.remove();
  await delay(200);
  victim.continueProcess();
  await delay(300);
  rule?.remove();
  const isTold = await until(settleMsMax, () => victim.output().slice(said).includes('may be taken for gone'));
  if (!isTold) return;
  count(census, struck.zombies);
  if (isHeld) count(census, struck.zombiesInFlight);
}

async function killBroker({ installation, random, census }: Strike): Promise<void> {
  await installation.broker.kill();
  count(census, struck.brokerKills);
  await delay(random() * 3_000);
  await installation.broker.restart();
}

async function leaveAndJoin(strike: Strike): Promise<void> {
  const { installation, random, census } = strike;
  const leaver = anyOf(strike);
  if (!(await leaver.working(workingMsMax))) return;
  await leaver.leave();
  count(census, struck.leaves);
  await delay(random() * 2_000);
  await installation.start(leaver);
}

async function until(msMax: number, condition: () => boolean): Promise<boolean> {
  const deadlineMs = performance.now() + msMax;
  while (!condition() && performance.now() < deadlineMs) await delay(100);
  return condition();
}

/** All the time: one request after the other, of the kinds that decide what gets through, is delayed, lost, or cut before or after the broker had it. */
function disturbRequests({ installation: { proxy }, random, census, delivery }: Strike): () => Promise<void> {
  const kinds =
    delivery === 'exactly-once'
      ? [apiKeys.endTxn, apiKeys.endTxn, apiKeys.endTxn, apiKeys.txnOffsetCommit, apiKeys.produce, apiKeys.addOffsetsToTxn, apiKeys.initProducerId]
      : [apiKeys.offsetCommit, apiKeys.offsetCommit, apiKeys.produce, apiKeys.produce, apiKeys.fetch, apiKeys.heartbeat];
  const actions: readonly ProxyRule['action'][] = ['delay', 'cut-before', 'cut-after', 'drop-request', 'drop-answer'];
  const over = new AbortController();
  const isOver = (): boolean => over.signal.aborted;
  const disturb = async (): Promise<void> => {
    for (let hits = 0; !isOver(); ) {
      // The worst comes first, whatever chance says: something is done, and nobody knows.
      const kind = hits === 0 ? kinds[0]! : kinds[Math.floor(random() * kinds.length)]!;
      const action = hits === 0 ? 'drop-answer' : actions[Math.floor(random() * actions.length)]!;
      const delayMs = random() * requestTimeoutMs * 2;
      const rule = proxy.on(kind, action === 'delay' ? { action, delayMs, times: 1 } : { action, times: 1 });
      const waitMs = 1_500 + random() * 4_000;
      await Promise.race([rule.reached(1), delay(waitMs, undefined, { signal: over.signal }).catch(() => undefined)]);
      note(rule, kind, action, delayMs);
      hits += rule.hits();
      if (rule.hits() === 0) rule.remove();
      await delay(200 + random() * 1_000, undefined, { signal: over.signal }).catch(() => undefined);
      // What it holds back goes on when its time has come.
      if (isOver()) rule.remove();
    }
  };
  const note = (rule: AppliedRule, kind: number, action: ProxyRule['action'], delayMs: number): void => {
    if (rule.hits() === 0) return;
    count(census, struck.requestsHit);
    const isLost = action === 'drop-answer' || action === 'cut-after' || (action === 'delay' && delayMs > requestTimeoutMs);
    if (kind === apiKeys.endTxn && isLost) count(census, struck.endsLost);
  };
  const done = disturb();
  return async () => {
    over.abort();
    await done;
  };
}
