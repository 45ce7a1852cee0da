// Inputs that an operator pauses: nothing more is read of them, what was read is finished, and nothing is lost or done twice, whenever it happens.
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { createInputPause } from '../../src/pipeline/input-pause.ts';
import { createFixture, type Fixture } from './runner-fixture.ts';
import { echoesOf, echoStage, textOf, textRecord } from './stages.ts';

function publish({ broker }: Fixture, topic: string, count: number): void {
  broker.append(Array.from({ length: count }, (_, index) => textRecord({ topic, partition: 0 }, `${topic}-${index}`)));
}

const outTexts = ({ broker }: Fixture): string[] => broker.allRecords('out').map(textOf);
const undisturbed = ({ broker }: Fixture, topic: string): string[] => broker.allRecords(topic).flatMap((record) => echoesOf(record, 1).map(textOf));

describe('a paused input', () => {
  it('is not read, and not waited for; the others are, and it goes on when it is resumed', async () => {
    const fixture = createFixture({ paused: 1, read: 1, out: 1 });
    publish(fixture, 'paused', 20);
    publish(fixture, 'read', 20);
    const inputPause = createInputPause();
    inputPause.set(['paused']);
    const runner = await fixture.start(fixture.broker.connect().transport, echoStage({ topics: ['paused', 'read'], outputs: () => 1 }), { inputPause });
    await fixture.drain(runner, ['paused', 'read']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, 'read'));
    inputPause.set([]);
    await fixture.drain(runner, ['paused', 'read']);
    expect(outTexts(fixture)).toEqual([...undisturbed(fixture, 'read'), ...undisturbed(fixture, 'paused')]);
    await fixture.stop(runner);
  });

  it('is not read by whoever waited for more of it when it was paused', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    const inputPause = createInputPause();
    const runner = await fixture.start(fixture.broker.connect().transport, echoStage({ topics: ['in'], outputs: () => 1 }), { inputPause });
    await fixture.drain(runner, ['in']);
    inputPause.set(['in']);
    publish(fixture, 'in', 5);
    await fixture.clock.drive(fixture.clock.sleep(60_000));
    expect(outTexts(fixture)).toEqual([]);
    inputPause.set([]);
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, 'in'));
    await fixture.stop(runner);
  });

  it('has what was read of it finished: that is waited for', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 'in', 3);
    const inputPause = createInputPause();
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: () => fixture.clock.sleep(30_000) });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { inputPause });
    await fixture.clock.drive(fixture.clock.sleep(1_000));
    inputPause.set(['in']);
    publish(fixture, 'in', 3);
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, 'in').slice(0, 3));
    await fixture.stop(runner);
  });

  it('is stopped while it is paused', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    const inputPause = createInputPause();
    const runner = await fixture.start(fixture.broker.connect().transport, echoStage({ topics: ['in'], outputs: () => 1 }), { inputPause });
    inputPause.set(['in']);
    expect(await fixture.stop(runner)).toEqual({ forced: false });
  });

  it.each(Array.from({ length: 20 }, (_, seed) => seed))('loses nothing and doubles nothing, however often it is paused and resumed (seed %d)', async (seed) => {
    const random = seededRandom(seed);
    const fixture = createFixture({ in: 1, out: 1 }, seed);
    const inputPause = createInputPause();
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: () => fixture.clock.sleep(random() * 50) });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { inputPause });
    for (let step = 0; step < 40; step += 1) {
      if (random() < 0.5) publish(fixture, 'in', 1 + Math.floor(random() * 10));
      inputPause.set(random() < 0.5 ? ['in'] : []);
      await fixture.clock.drive(fixture.clock.sleep(random() * 60));
    }
    inputPause.set([]);
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, 'in'));
    await fixture.stop(runner);
  });
});
