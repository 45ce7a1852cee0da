// kill -9 of the real process, in the middle of its file operations, in both delivery modes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { allTopics, inputTopics, topics } from '../../src/core/topics.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { compareCluster, compareExtract, expectEveryStepAnswered } from './comparison.ts';
import { changeParameters, forgetItem, prepare, publishMore, runProgram, stepsOf, type Harness } from './crash-harness.ts';
import { phases } from './kill-switch.ts';
import { copyInputs, readCheckpoints, readLog } from './log-contents.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const deliveries = ['exactly-once', 'at-least-once'] as const;
const killsPerDelivery = full ? 50 : 8;
/** What must have been struck before the kills of a delivery mode end, and what over both. */
const strikesPerDelivery = full ? 6 : 1;
const strikesInAll = full ? 10 : 2;
const insideARecordPerDelivery = full ? 3 : 0;
const restartsFromSnapshotsPerDelivery = 1;
const timeoutMs = full ? 1_800_000 : 300_000;
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 1_000_000);

/** Crash points are data: where, and at which of the operations there at most. */
const places: readonly { readonly phase: (typeof phases)[number] | 'outside'; readonly countMax: number }[] = [
  { phase: 'append', countMax: 60 },
  { phase: 'commit', countMax: 60 },
  { phase: 'roll', countMax: 12 },
  { phase: 'snapshot', countMax: 9 },
  { phase: 'outside', countMax: 1500 },
];

const inFlight = 'with work in flight';
const insideARecord = 'inside a record of several transactions';
const restarts = 'states restored from a snapshot';

type Census = Map<string, number>;

function count(census: Census, what: string, times = 1): void {
  census.set(what, (census.get(what) ?? 0) + times);
}

function told(census: Census): string {
  return [...census].map(([what, times]) => `${what}: ${times}`).join('; ');
}

/** Of the delivery modes that were tested. */
const censuses = new Map<Delivery, Census>();

function isStruckEnough(census: Census, kills: number): boolean {
  const times = (what: string): number => census.get(what) ?? 0;
  return (
    kills >= killsPerDelivery &&
    phases.every((phase) => times(phase) >= strikesPerDelivery) &&
    times(insideARecord) >= insideARecordPerDelivery &&
    times(restarts) >= restartsFromSnapshotsPerDelivery
  );
}

async function disturb(harness: Harness, random: () => number, census: Census): Promise<number> {
  let kills = 0;
  for (let round = 0; !isStruckEnough(census, kills); round++) {
    expect(round, `the program ends before it is killed, again and again: ${told(census)}`).toBeLessThan(killsPerDelivery * 4);
    const place = places[round % places.length]!;
    const drawn = 1 + Math.floor(random() * place.countMax);
    await publishMore(harness, round, 24);
    if (round % 3 === 2) await changeParameters(harness, round % 2 === 0 ? 0.25 : 0.12);
    if (round % 5 === 4) await forgetItem(harness, `demo/t${round - 1}-1`);
    const ended = await runProgram(harness, place.phase === 'outside' ? 500 + drawn : `${place.phase}:${drawn}`);
    if (ended.how === 'failed') throw new Error(`the program failed after ${kills} kills: ${ended.output}`);
    count(census, restarts, ended.restored.fromSnapshots);
    if (ended.how === 'idle') continue;
    kills += 1;
    const [phase = '', ...rest] = ended.where.split(' ');
    count(census, place.phase === 'outside' ? 'outside' : phase);
    count(census, ended.where.replace(/ \/.*$/, '').trim() || rest.join(' '));
    const checkpoints = await readCheckpoints(harness.directory, 'crash', [...inputTopics, topics.features]);
    if (checkpoints.some(({ behind }) => behind > 0)) count(census, inFlight);
    if (checkpoints.some(({ checkpoint }) => (checkpoint?.outputsSent ?? 0) > 0)) count(census, insideARecord);
  }
  return kills;
}

test.each(deliveries)(
  `kill -9 loses nothing and invents nothing: %s`,
  async (delivery: Delivery) => {
    console.log(`crash test ${delivery}: seed ${seed} (repeat with LABELSTREAM_TEST_SEED=${seed})`);
    const base = await mkdtemp(join(tmpdir(), 'labelstream-crash-'));
    const random = seededRandom(seed + (delivery === 'exactly-once' ? 0 : 1));
    const census: Census = new Map();
    try {
      const disturbed = await prepare(join(base, 'disturbed'), { delivery, holdMsMax: 1 });
      const kills = await disturb(disturbed, random, census);
      const last = await runProgram(disturbed, undefined);
      expect(last).toMatchObject({ how: 'idle' });
      count(census, restarts, last.restored.fromSnapshots);
      const contents = await readLog(disturbed.directory, allTopics);

      const undisturbed = await prepare(join(base, 'undisturbed'), { delivery, holdMsMax: 600_000 });
      // What was parked is an output, too: this run would read it twice.
      await copyInputs(contents, inputTopics.filter((topic) => topic !== topics.parked), undisturbed.directory);
      expect(await runProgram(undisturbed, undefined)).toMatchObject({ how: 'idle' });
      const reference = await readLog(undisturbed.directory, allTopics);

      expectEveryStepAnswered(contents, disturbed.codec, (record) => stepsOf(disturbed.codec, record));
      const extract = compareExtract(contents, reference, disturbed.codec, delivery);
      const cluster = await compareCluster(contents, disturbed.codec, delivery);
      expect(Math.min(extract.labels, extract.features)).toBeGreaterThan(100);
      console.log(`${delivery}: ${told(census)}`);
      console.log(
        `${delivery}: ${extract.labels} labels and ${extract.features} features of EXTRACT (${extract.parkedFeatures} of parked records), ${extract.repeats} repeated; ` +
          `${cluster.outputs} outputs of CLUSTER, ${cluster.repeats} repeated`,
      );
      expect(census.get(inFlight) ?? 0).toBeGreaterThan(kills / 2);
      censuses.set(delivery, census);
    } finally {
      await rm(base, { recursive: true, force: true });
    }
  },
  timeoutMs,
);

test('every phase was struck often enough, over both delivery modes', ({ skip }) => {
  if (censuses.size < deliveries.length) skip('only where both delivery modes were tested');
  const totals: Census = new Map();
  for (const census of censuses.values()) for (const [what, times] of census) count(totals, what, times);
  console.log(`both delivery modes: ${told(totals)}`);
  for (const phase of phases) expect(totals.get(phase) ?? 0, phase).toBeGreaterThanOrEqual(strikesInAll);
  expect(totals.get(insideARecord) ?? 0, insideARecord).toBeGreaterThanOrEqual(insideARecordPerDelivery * deliveries.length);
});
