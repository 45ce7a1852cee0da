/** A partition with producers, readers and a coordinator that note, in order, what is asked of them. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { kafkaError } from '../../../src/core/errors/kafka.ts';
import { pipelineError } from '../../../src/core/errors/pipeline.ts';
import type { Checkpoint, Delivery } from '../../../src/pipeline/transport.ts';
import { ownPartition, type OwnedPartition, type OwnedPartitionOptions } from '../../../src/transports/kafka/owned-partition.ts';
import type { PartitionReader } from '../../../src/transports/kafka/partition-reader.ts';

const location = { topic: 'in', partition: 3, incarnation: 'life' };
export const at = (offset: bigint, outputsSent = 0): Checkpoint => ({ position: offset.toString(), sequence: offset - 1n, outputsSent });
export const unreachable = (): Error => kafkaError('LS_KAFKA_UNREACHABLE', 'gone');
export const revoked = (): Error => pipelineError('LS_TRANSPORT_REVOKED', 'not a member');
export const fenced = (): Error => pipelineError('LS_TRANSPORT_FENCED', 'fenced');

type World = {
  readonly calls: string[];
  /** What the broker has. */
  committed: Checkpoint | undefined;
  alive: boolean;
  /** Failures in order, by call; `after` takes effect and then fails. */
  readonly fail: Map<string, (Error | { readonly after: Error })[]>;
  readonly gates: Map<string, Promise<unknown>>;
  /** From the first to the second offset the reader met nothing visible. */
  hidden: readonly [bigint, bigint];
  /** The sleeps that wait; each ends when it is called. */
  readonly sleeps: (() => void)[];
};

export function setUp(delivery: Delivery): { readonly world: World; readonly owned: OwnedPartition } {
  const world: World = { calls: [], committed: undefined, alive: true, fail: new Map(), gates: new Map(), hidden: [0n, 0n], sleeps: [] };
  const call = async (name: string, detail = '', effect: () => void = () => undefined): Promise<void> => {
    world.calls.push(`${name}${detail}`);
    await world.gates.get(name);
    const failure = world.fail.get(name)?.shift();
    if (failure instanceof Error) throw failure;
    effect();
    if (failure !== undefined) throw failure.after;
  };
  const options: OwnedPartitionOptions = {
    location,
    delivery,
    owner: {
      group: 'g',
      isAlive: () => world.alive,
      confirm: () => call('confirm'),
      commit: (_location, offset, metadata) => call('commit', ` ${String(offset)} ${metadata}`, () => (world.committed = at(offset))),
    },
    fetcher: { open: (_location, offset) => readerOf(world, offset) },
    producers: {
      openTransactional: async (id, entitled) => {
        await world.gates.get('turn');
        await entitled?.();
        await call('open', ` ${id}`);
        return {
          transact: (records, offset) =>
            call('transact', ` ${records.map(({ value }) => value.toString()).join()} ${String(offset?.offset)}`, () => {
              world.committed = at(offset!.offset);
            }),
          close: () => call('close'),
        };
      },
    },
    send: (records) => call('send', ` ${records.map(({ value }) => value.toString()).join()}`),
    bounds: async () => {
      await call('bounds');
      return { start: { position: '2', sequence: 2n }, end: { position: '9', sequence: 9n } };
    },
    readCommitted: async () => {
      await call('readCommitted');
      return world.committed;
    },
    checkRecords: () => call('check'),
    clock: {
      sleep: (_durationMs, signal) => {
        const { promise, resolve } = Promise.withResolvers<undefined>();
        const end = (): void => resolve(undefined);
        world.sleeps.push(end);
        signal?.addEventListener('abort', end);
        return promise;
      },
    },
  };
  return { world, owned: ownPartition(options) };
}

function readerOf(world: World, from: bigint): PartitionReader {
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => undefined);
  let next = from;
  world.calls.push(`read from ${String(from)}`);
  return {
    seek: (offset) => {
      next = offset;
      world.calls.push(`seek ${String(offset)}`);
    },
    poll: async (budget) => {
      world.calls.push(`poll ${String(next)}`);
      if (budget.records === 0) return ended.promise;
      await world.gates.get('poll');
      return [];
    },
    pastHidden: (offset) => (offset >= world.hidden[0] && offset < world.hidden[1] ? world.hidden[1] : offset),
    close: (reason) => ended.reject(reason),
  };
}

/** A while later. */
export const later = async (world: World): Promise<void> => {
  for (const end of world.sleeps.splice(0)) end();
  await nextTurn();
};
