// kill -9 of the real process while a generation of a collection is built, when it is swapped in, and in the middle of what the swap tells.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ControlEvent } from '../../src/core/events.generated.ts';
import { allTopics, inputTopics, topics } from '../../src/core/topics.ts';
import { compareCluster } from './comparison.ts';
import { changeParameters, prepare, publishMore, runProgram, type Harness } from './crash-harness.ts';
import { readCheckpoints, readLog } from './log-contents.ts';

const isFullScale = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const strikesMin = isFullScale ? 5 : 1;
const roundsMax = isFullScale ? 240 : 80;

type Standing = { readonly building: boolean; readonly withinSwap: boolean };

/** What the log says of where the kill struck. */
async function standingOf(harness: Harness): Promise<Standing> {
  const [contents, checkpoints] = [await readLog(harness.directory, [topics.features]), await readCheckpoints(harness.directory, 'crash', [...inputTopics, topics.features])];
  let [building, withinSwap] = [false, false];
  for (const [partition, records] of (contents.records.get(topics.features) ?? []).entries()) {
    const open = new Set<string>();
    const place = checkpoints.find((each) => each.topic === topics.features && each.partition === partition)?.checkpoint;
    for (const { sequence, value } of records) {
      const { schema, event } = harness.codec.decode(value);
      if (schema !== 'ControlEvent') continue;
      const { refit, swap } = generationsOf(event);
      if (refit !== undefined) open.add(`${event.family ?? ''} ${refit}`);
      if (swap !== undefined) open.delete(`${event.family ?? ''} ${swap}`);
      if (swap !== undefined && place !== undefined && place.outputsSent > 0 && sequence === place.sequence + 1n) withinSwap = true;
    }
    if (open.size > 0) building = true;
  }
  return { building, withinSwap };
}

function generationsOf({ action }: ControlEvent): { readonly refit?: string; readonly swap?: string } {
  if ('labelstream.v1.Refit' in action) return { refit: action['labelstream.v1.Refit'].generation };
  return 'labelstream.v1.Swap' in action ? { swap: action['labelstream.v1.Swap'].generation } : {};
}

test.each(['exactly-once', 'at-least-once'] as const)('a kill between refit and swap, and within a swap, loses and repeats nothing: %s', async (delivery) => {
  const base = await mkdtemp(join(tmpdir(), 'labelstream-generations-'));
  try {
    const harness = await prepare(base, { delivery, holdMsMax: 600_000 });
    await publishMore(harness, 0, 60);
    expect(await runProgram(harness, undefined)).toMatchObject({ how: 'idle' });
    const struck = { building: 0, withinSwap: 0 };
    // A swap is among the last that a run does: later after a kill that came before it, earlier where a run has come to its end.
    let operation = 8;
    for (let round = 1; round <= roundsMax && Math.min(struck.building, struck.withinSwap) < strikesMin; round += 1) {
      await changeParameters(harness, round % 2 === 0 ? 0.25 : 0.12);
      if (round % 4 === 0) await publishMore(harness, round, 8);
      // Of few outputs to a transaction, so that a swap takes several; the operations of a start come first.
      const ended = await runProgram(harness, `${round % 3 === 0 ? 'append' : 'commit'}:${operation}`);
      if (ended.how === 'failed') throw new Error(ended.output);
      operation = ended.how === 'idle' ? Math.max(1, operation - 2 - (round % 3)) : operation + 1 + (round % 2);
      if (ended.how === 'idle') continue;
      const { building, withinSwap } = await standingOf(harness);
      struck.building += building ? 1 : 0;
      struck.withinSwap += withinSwap ? 1 : 0;
    }
    console.log(`${delivery}: ${JSON.stringify(struck)}`);
    expect(struck.building, 'between refit and swap').toBeGreaterThanOrEqual(strikesMin);
    expect(struck.withinSwap, 'within a swap').toBeGreaterThanOrEqual(strikesMin);
    expect(await runProgram(harness, undefined)).toMatchObject({ how: 'idle' });
    const contents = await readLog(harness.directory, allTopics);
    const swaps = (contents.records.get(topics.features) ?? []).flat().filter(({ value }) => {
      const { schema, event } = harness.codec.decode(value);
      return schema === 'ControlEvent' && 'labelstream.v1.Swap' in event.action;
    });
    expect(swaps.length).toBeGreaterThan(2);
    const { outputs, repeats } = await compareCluster(contents, harness.codec, delivery);
    console.log(`${delivery}: ${swaps.length} swaps, ${outputs} outputs, ${repeats} repeated`);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}, 900_000);
