/** The end of an ownership: given up, or lost without notice. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { code } from '../../conformance/transport-harness.ts';
import { never, output, roomy } from './group-fixture.ts';
import { at, later, revoked, setUp, unreachable } from './owned-partition-fixture.ts';

test('exactly once: who is no member does not fence the one that is', async () => {
  const { world, owned } = setUp('exactly-once');
  world.fail.set('confirm', [revoked()]);
  expect(await code(owned.assigned.committed())).toBe('LS_TRANSPORT_REVOKED');
  expect(world.calls).toEqual(['confirm']);
});

test.each(['at-least-once', 'exactly-once'] as const)('%s: whose session ended during a step takes no further one', async (delivery) => {
  const { world, owned } = setUp(delivery);
  await owned.assigned.committed();
  const gate = Promise.withResolvers<undefined>();
  const first = delivery === 'exactly-once' ? 'check' : 'send';
  world.gates.set(first, gate.promise);
  const delivering = code(owned.assigned.deliver([output('out', 'a')], at(5n)));
  await nextTurn();
  world.alive = false;
  gate.resolve(undefined);
  expect(await delivering).toBe('LS_TRANSPORT_REVOKED');
  expect(world.calls.at(-1)).toMatch(new RegExp(`^${first}`));
  for (const call of [() => owned.assigned.poll(roomy, never), () => owned.assigned.bounds(), () => owned.assigned.committed()]) {
    expect(await code(call())).toBe('LS_TRANSPORT_REVOKED');
  }
});

test('a poll that was answered while the process was stopped is not handed out', async () => {
  const { world, owned } = setUp('at-least-once');
  owned.assigned.seek('4');
  const gate = Promise.withResolvers<undefined>();
  world.gates.set('poll', gate.promise);
  const polling = code(owned.assigned.poll(roomy, never));
  await nextTurn();
  world.alive = false;
  gate.resolve(undefined);
  expect(await polling).toBe('LS_TRANSPORT_REVOKED');
});

test('revocation ends a poll that waits and one that looks for its start; the delivery in flight is waited for, its producer closed', async () => {
  const { world, owned } = setUp('exactly-once');
  await owned.assigned.committed();
  owned.assigned.seek('5');
  const waiting = code(owned.assigned.poll({ records: 0, bytes: 0 }, never));
  const gate = Promise.withResolvers<undefined>();
  world.gates.set('transact', gate.promise);
  const delivering = owned.assigned.deliver([output('out', 'a')], at(5n));
  await nextTurn();
  owned.revoke();
  expect(await waiting).toBe('LS_TRANSPORT_REVOKED');
  expect(await code(owned.assigned.deliver([], at(6n)))).toBe('LS_TRANSPORT_REVOKED');
  const settled = owned.settled().then(() => world.calls.push('settled'));
  await nextTurn();
  gate.resolve(undefined);
  await delivering;
  await settled;
  expect(world.calls.slice(-3)).toEqual(['transact a 5', 'close', 'settled']);

  const starting = setUp('at-least-once');
  starting.world.gates.set('readCommitted', new Promise(() => undefined));
  const looking = code(starting.owned.assigned.poll(roomy, never));
  await nextTurn();
  starting.owned.revoke();
  expect(await looking).toBe('LS_TRANSPORT_REVOKED');
});

test('exactly once: who gave the partition up while its opening waited for its turn fences nobody', async () => {
  const { world, owned } = setUp('exactly-once');
  const turn = Promise.withResolvers<undefined>();
  world.gates.set('turn', turn.promise);
  const looking = code(owned.assigned.committed());
  await nextTurn();
  owned.revoke();
  const settled = owned.settled();
  await later(world);
  await later(world);
  await settled;
  turn.resolve(undefined);
  expect(await looking).toBe('LS_TRANSPORT_REVOKED');
  expect(world.calls).toEqual([]);
});

test('at least once: revocation waits only a while for a send that hangs, and its offset is not committed then', async () => {
  const { world, owned } = setUp('at-least-once');
  const gate = Promise.withResolvers<undefined>();
  world.gates.set('send', gate.promise);
  const delivering = code(owned.assigned.deliver([output('out', 'a')], at(5n)));
  await nextTurn();
  owned.revoke();
  const settled = owned.settled();
  await later(world);
  await later(world);
  await settled;
  gate.resolve(undefined);
  expect(await delivering).toBe('LS_TRANSPORT_REVOKED');
  expect(world.calls).toEqual(['check', 'send a']);
});

test('revocation waits only a while for a delivery that hangs, closes its producer, and tells it of the revocation', async () => {
  const { world, owned } = setUp('exactly-once');
  const gate = Promise.withResolvers<undefined>();
  world.gates.set('transact', gate.promise);
  const delivering = code(owned.assigned.deliver([output('out', 'a')], at(5n)));
  await nextTurn();
  owned.revoke();
  const ending = Promise.all([delivering, owned.settled()]);
  await later(world);
  expect(world.calls.slice(-2)).toEqual(['transact a 5', 'close']);
  gate.reject(unreachable());
  expect((await ending)[0]).toBe('LS_TRANSPORT_REVOKED');
});
