// kill -9 of the real process, in the middle of its file operations, in both delivery modes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { allTopics, inputTopics, topics } from '../../src/core/topics.ts';
import type { Delivery } from '../../src/pipeline/transport.ts';
import { compareCluster, compareExtract } from './comparison.ts';
import { changeParameters, forgetItem, prepare, publishMore, runProgram, type Harness } from './crash-harness.ts';
import { phases } from './kill-switch.ts';
import { copyInputs, readCheckpoints, readLog } from './log-contents.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const killsPerDelivery = full ? 50 : 8;
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 1_000_000);

/** Crash points are data: where, and at which of the operations there at most. */
const places: readonly { readonly phase: (typeof phases)[number] | 'outside'; readonly countMax: number }[] = [
  { phase: 'append', countMax: 60 },
  { phase: 'commit', countMax: 60 },
  { phase: 'roll', countMax: 12 },
  { phase: 'snapshot', countMax: 9 },
  { phase: 'outside', countMax: 1500 },
];

type Census = Map<string, number>;

function count(census: Census, what: string): void {
  census.set(what, (census.get(what) ?? 0) + 1);
}

async function disturb(harness: Harness, random: () => number, census: Census): Promise<void> {
  for (let kills = 0, round = 0; kills < killsPerDelivery; round++) {
    expect(round, 'the program ends before it is killed, again and again').toBeLessThan(killsPerDelivery * 4);
    const place = places[round % places.length]!;
    const drawn = 1 + Math.floor(random() * place.countMax);
    await publishMore(harness, round, 24);
    if (round % 3 === 2) await changeParameters(harness, round % 2 === 0 ? 0.25 : 0.12);
    if (round % 5 === 4) await forgetItem(harness, `demo/t${round - 1}-1`);
    const ended = await runProgram(harness, place.phase === 'outside' ? 500 + drawn : `${place.phase}:${drawn}`);
    if (ended.how === 'failed') throw new Error(`the program failed after ${kills} kills: ${ended.output}`);
    if (ended.how === 'idle') continue;
    kills += 1;
    const [phase = '', ...rest] = ended.where.split(' ');
    count(census, place.phase === 'outside' ? 'outside' : phase);
    count(census, ended.where.replace(/ \/.*$/, '').trim() || rest.join(' '));
    const checkpoints = await readCheckpoints(harness.directory, 'crash', [...inputTopics, topics.features]);
    if (checkpoints.some(({ behind }) => behind > 0)) count(census, 'with work in flight');
    if (checkpoints.some(({ checkpoint }) => (checkpoint?.outputsSent ?? 0) > 0)) count(census, 'inside a record of several transactions');
  }
}

test.each(['exactly-once', 'at-least-once'] as const)(
  `kill -9 loses nothing and invents nothing: %s`,
  async (delivery: Delivery) => {
    console.log(`crash test ${delivery}: seed ${seed} (repeat with LABELSTREAM_TEST_SEED=${seed})`);
    const base = await mkdtemp(join(tmpdir(), 'labelstream-crash-'));
    const random = seededRandom(seed + (delivery === 'exactly-once' ? 0 : 1));
    const census: Census = new Map();
    try {
      const disturbed = await prepare(join(base, 'disturbed'), delivery);
      await disturb(disturbed, random, census);
      expect(await runProgram(disturbed, undefined)).toEqual({ how: 'idle' });
      const contents = await readLog(disturbed.directory, allTopics);

      const undisturbed = await prepare(join(base, 'undisturbed'), delivery);
      await copyInputs(contents, inputTopics, undisturbed.directory);
      expect(await runProgram(undisturbed, undefined)).toEqual({ how: 'idle' });
      const reference = await readLog(undisturbed.directory, allTopics);

      const extract = compareExtract(contents, reference, disturbed.codec, delivery);
      const cluster = await compareCluster(contents, disturbed.codec, delivery);
      expect(extract.results).toBeGreaterThan(100);
      console.log(`${delivery}: ${[...census].map(([what, times]) => `${what}: ${times}`).join('; ')}`);
      console.log(`${delivery}: ${extract.results} results of EXTRACT, ${extract.repeats} repeated; ${cluster.outputs} outputs of CLUSTER, ${cluster.repeats} repeated`);
      expect(census.get('with work in flight') ?? 0).toBeGreaterThan(killsPerDelivery / 2);
      if (!full) return;
      for (const phase of phases) expect(census.get(phase) ?? 0, phase).toBeGreaterThanOrEqual(6);
      expect(census.get('inside a record of several transactions') ?? 0).toBeGreaterThanOrEqual(3);
    } finally {
      await rm(base, { recursive: true, force: true });
    }
  },
  full ? 1_800_000 : 180_000,
);
