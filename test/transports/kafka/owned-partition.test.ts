/** The order of calls of a partition while it is owned. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { pipelineError } from '../../../src/core/errors/pipeline.ts';
import { code } from '../../conformance/transport-harness.ts';
import { never, output, roomy } from './group-fixture.ts';
import { at, fenced, later, revoked, setUp, unreachable } from './owned-partition-fixture.ts';

test('at least once: checks, sends, and commits when that is durable', async () => {
  const { world, owned } = setUp('at-least-once');
  await owned.assigned.deliver([output('out', 'a'), output('out', 'b')], at(5n, 2));
  expect(world.calls).toEqual(['check', 'send a,b', 'commit 5 1:4:2']);
  await owned.assigned.deliver([], at(6n));
  expect(world.calls.slice(3)).toEqual(['check', 'commit 6 1:5:0']);
});

test('at least once: what was not sent is not committed', async () => {
  const { world, owned } = setUp('at-least-once');
  world.fail.set('send', [unreachable()]);
  expect(await code(owned.assigned.deliver([output('out', 'a')], at(5n)))).toBe('LS_KAFKA_UNREACHABLE');
  expect(world.calls).toEqual(['check', 'send a']);
});

test.each(['at-least-once', 'exactly-once'] as const)('%s: sends nothing of what the broker does not take', async (delivery) => {
  const { world, owned } = setUp(delivery);
  world.fail.set('check', [pipelineError('LS_TRANSPORT_TOPIC_MISSING', 'missing')]);
  expect(await code(owned.assigned.deliver([output('out', 'a')], at(5n)))).toBe('LS_TRANSPORT_TOPIC_MISSING');
  expect(await code(owned.assigned.deliver([], { position: 'x', sequence: 1n, outputsSent: 0 }))).toBe('LS_TRANSPORT_POSITION_INVALID');
  expect(world.calls).toEqual(['check']);
});

test('exactly once: fences before it reads where the group stands, and remembers from there on', async () => {
  const { world, owned } = setUp('exactly-once');
  world.committed = at(4n);
  expect(await Promise.all([owned.assigned.committed(), owned.assigned.committed()])).toEqual([at(4n), at(4n)]);
  expect(world.calls).toEqual(['confirm', 'open g-in-3', 'readCommitted']);
  await owned.assigned.deliver([output('out', 'a')], at(5n));
  expect(await owned.assigned.committed()).toEqual(at(5n));
  expect(world.calls.slice(3)).toEqual(['check', 'transact a 5']);
});

test.each([
  { outcome: 'did not happen', failure: unreachable(), sentAgain: true },
  { outcome: 'happened', failure: { after: unreachable() }, sentAgain: false },
])('exactly once: a transaction in doubt that $outcome is settled before anything is sent again', async ({ failure, sentAgain }) => {
  const { world, owned } = setUp('exactly-once');
  await owned.assigned.committed();
  world.fail.set('transact', [failure]);
  expect(await code(owned.assigned.deliver([output('out', 'a')], at(5n)))).toBe('LS_KAFKA_UNREACHABLE');
  expect(world.calls.slice(3)).toEqual(['check', 'transact a 5', 'close']);
  // Also where the caller does not ask first.
  await owned.assigned.deliver([output('out', 'a')], at(5n));
  expect(world.calls.slice(6)).toEqual(['check', 'confirm', 'open g-in-3', 'readCommitted', ...(sentAgain ? ['transact a 5'] : [])]);
  expect(await owned.assigned.committed()).toEqual(at(5n));
});

test('exactly once: a failure to open or to read is tried again from the beginning', async () => {
  const { world, owned } = setUp('exactly-once');
  world.fail.set('open', [unreachable()]);
  world.fail.set('readCommitted', [unreachable()]);
  expect(await code(owned.assigned.committed())).toBe('LS_KAFKA_UNREACHABLE');
  expect(await code(owned.assigned.committed())).toBe('LS_KAFKA_UNREACHABLE');
  expect(await owned.assigned.committed()).toBeUndefined();
  const whole = ['confirm', 'open g-in-3', 'readCommitted'];
  expect(world.calls).toEqual(['confirm', 'open g-in-3', ...whole, 'close', ...whole]);
});

test('exactly once: who was fenced asks whether it is the owner, and waits or gives up by the answer', async () => {
  const { world, owned } = setUp('exactly-once');
  await owned.assigned.committed();
  world.fail.set('transact', [fenced()]);
  const zombies = await owned.assigned.deliver([output('out', 'a')], at(5n)).catch((error: unknown) => error);
  expect(zombies).toMatchObject({ code: 'LS_KAFKA_REQUEST', retryable: true });
  world.fail.set('transact', [fenced()]);
  await owned.assigned.committed();
  world.fail.set('confirm', [revoked()]);
  expect(await code(owned.assigned.deliver([output('out', 'a')], at(5n)))).toBe('LS_TRANSPORT_REVOKED');
});

// Faust #216 and #217: a consumer that was resumed before it was sought read on from where the driver stood.
test.each([
  { stands: at(7n), from: 7 },
  { stands: undefined, from: 2 },
])('a poll before the first seek reads from where the group stands ($from)', async ({ stands, from }) => {
  const { world, owned } = setUp('exactly-once');
  world.committed = stands;
  await owned.assigned.poll(roomy, never);
  const bounds = stands === undefined ? ['bounds'] : [];
  expect(world.calls).toEqual(['confirm', 'open g-in-3', 'readCommitted', ...bounds, `read from ${String(from)}`, `poll ${String(from)}`]);
});

test('a seek under a poll that has not begun to read decides', async () => {
  const { world, owned } = setUp('at-least-once');
  world.committed = at(7n);
  const polling = owned.assigned.poll(roomy, never);
  owned.assigned.seek('5');
  await polling;
  expect(world.calls.filter((call) => call !== 'readCommitted')).toEqual(['read from 5', 'poll 5']);
  owned.assigned.seek('6');
  expect(world.calls.at(-1)).toBe('seek 6');
});

test('one poll, and one delivery, at a time', async () => {
  const { world, owned } = setUp('at-least-once');
  const gate = Promise.withResolvers<undefined>();
  world.gates.set('poll', gate.promise);
  world.gates.set('commit', gate.promise);
  owned.assigned.seek('5');
  const first = [owned.assigned.poll(roomy, never), owned.assigned.deliver([], at(5n))];
  expect(await code(owned.assigned.poll(roomy, never))).toBe('LS_TRANSPORT_CALL_OVERLAP');
  expect(await code(owned.assigned.deliver([], at(5n)))).toBe('LS_TRANSPORT_CALL_OVERLAP');
  gate.resolve(undefined);
  await Promise.all(first);
  await owned.assigned.deliver([], at(6n));
});

test('exactly once: where the group stands is not committed beside a delivery that began while it was looked up', async () => {
  const { world, owned } = setUp('exactly-once');
  world.committed = at(4n);
  world.hidden = [4n, 6n];
  owned.assigned.seek('4');
  const [read, sent] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  world.gates.set('readCommitted', read.promise);
  world.gates.set('transact', sent.promise);
  const looking = owned.assigned.committed();
  const delivering = owned.assigned.deliver([output('out', 'a')], at(7n));
  await nextTurn();
  read.resolve(undefined);
  await looking;
  await later(world);
  await later(world);
  sent.resolve(undefined);
  await delivering;
  expect(world.calls.filter((call) => call.startsWith('transact'))).toEqual(['transact a 7']);
});

test('a poll that looks for its start ends with none when the signal aborts', async () => {
  const { world, owned } = setUp('at-least-once');
  world.gates.set('readCommitted', new Promise(() => undefined));
  const abort = new AbortController();
  const polling = owned.assigned.poll(roomy, abort.signal);
  await nextTurn();
  abort.abort();
  expect(await polling).toEqual([]);
});

test.each(['at-least-once', 'exactly-once'] as const)('%s: an offset is committed behind what nobody sees, with the delivery or after it', async (delivery) => {
  const { world, owned } = setUp(delivery);
  await owned.assigned.committed();
  owned.assigned.seek('2');
  world.hidden = [5n, 7n];
  await owned.assigned.deliver([], at(4n));
  await owned.assigned.deliver([], at(5n));
  const before = world.calls.length;
  expect(world.calls.slice(-4)).toEqual(delivery === 'exactly-once' ? ['check', 'transact  4', 'check', 'transact  7'] : ['check', 'commit 4 1:3:0', 'check', 'commit 7 1:4:0']);
  await later(world);
  expect(world.calls).toHaveLength(before);
  world.hidden = [5n, 9n];
  await later(world);
  await later(world);
  expect(world.calls.slice(before)).toEqual([delivery === 'exactly-once' ? 'transact  9' : 'commit 9 1:4:0']);
  if (delivery === 'exactly-once') expect(await owned.assigned.committed()).toEqual({ position: '9', sequence: 4n, outputsSent: 0 });
  owned.revoke();
  world.hidden = [5n, 11n];
  await later(world);
  await owned.settled();
  expect(world.calls.filter((call) => call.includes(' 11'))).toEqual([]);
});

test('exactly once: where the group stands is not committed while a transaction is in doubt, nor beside one', async () => {
  const { world, owned } = setUp('exactly-once');
  await owned.assigned.committed();
  owned.assigned.seek('2');
  await owned.assigned.deliver([], at(4n));
  world.fail.set('transact', [{ after: unreachable() }]);
  world.hidden = [4n, 9n];
  expect(await code(owned.assigned.deliver([output('out', 'a')], { ...at(5n), position: '10' }))).toBe('LS_KAFKA_UNREACHABLE');
  await later(world);
  expect(world.calls.filter((call) => call.startsWith('transact'))).toEqual(['transact  4', 'transact a 10']);

  const beside = setUp('exactly-once');
  await beside.owned.assigned.committed();
  beside.owned.assigned.seek('2');
  await beside.owned.assigned.deliver([], at(4n));
  const gate = Promise.withResolvers<undefined>();
  beside.world.gates.set('transact', gate.promise);
  beside.world.hidden = [4n, 6n];
  await later(beside.world);
  const delivering = beside.owned.assigned.deliver([output('out', 'a')], at(7n));
  await nextTurn();
  expect(beside.world.calls.at(-1)).toBe('check');
  beside.world.hidden = [4n, 9n];
  await later(beside.world);
  gate.resolve(undefined);
  await delivering;
  expect(beside.world.calls.filter((call) => call.startsWith('transact'))).toEqual(['transact  4', 'transact  6', 'transact a 9']);
});

test('exactly once: an idle commit in doubt is fenced before anything else is committed', async () => {
  const { world, owned } = setUp('exactly-once');
  await owned.assigned.committed();
  owned.assigned.seek('2');
  await owned.assigned.deliver([], at(4n));
  world.hidden = [4n, 6n];
  world.fail.set('transact', [unreachable()]);
  await later(world);
  const before = world.calls.length;
  expect(world.calls.slice(-2)).toEqual(['transact  6', 'close']);
  await owned.assigned.deliver([output('out', 'a')], at(7n));
  expect(world.calls.slice(before)).toEqual(['check', 'confirm', 'open g-in-3', 'readCommitted', 'transact a 7']);
  expect(world.calls.filter((call) => call.startsWith('commit'))).toEqual([]);
});

test('at least once: a commit that arrives late, and sets the group back, is made good when it is seen', async () => {
  const { world, owned } = setUp('at-least-once');
  await owned.assigned.committed();
  await owned.assigned.deliver([], at(4n));
  world.fail.set('commit', [unreachable()]);
  expect(await code(owned.assigned.deliver([], at(5n)))).toBe('LS_KAFKA_UNREACHABLE');
  await owned.assigned.deliver([], at(5n));
  await owned.assigned.deliver([], at(6n));
  world.committed = at(5n);
  expect(await owned.assigned.committed()).toEqual(at(6n));
  expect(world.calls.slice(-2)).toEqual(['readCommitted', 'commit 6 1:5:0']);
  expect(world.committed).toEqual(at(6n));
});

test('exactly once: a transaction in doubt that happened is known again, though its offset stands behind what nobody sees', async () => {
  const { world, owned } = setUp('exactly-once');
  await owned.assigned.committed();
  owned.assigned.seek('2');
  world.hidden = [5n, 7n];
  world.fail.set('transact', [{ after: unreachable() }]);
  expect(await code(owned.assigned.deliver([output('out', 'a')], at(5n)))).toBe('LS_KAFKA_UNREACHABLE');
  world.committed = { position: '7', sequence: 4n, outputsSent: 0 };
  await owned.assigned.deliver([output('out', 'a')], at(5n));
  expect(world.calls.filter((call) => call.startsWith('transact'))).toHaveLength(1);
});
