/**
 * A member in a process of its own, that its test stops past its session and wakes. It tells what happens to it line by line, and does at each line
 * it reads what a process in the middle of its work would go on with.
 *
 *   zombie-child.ts BROKERS GROUP FROM TO DELIVERY
 */
import { createInterface } from 'node:readline';
import type { AssignedPartition } from '../../../src/pipeline/transport.ts';
import { code } from '../../conformance/transport-harness.ts';
import { kafkaOptions, member, never, output, resume } from './group-fixture.ts';

const [brokers, group, from, to, delivery] = process.argv.slice(2) as [string, string, string, string, 'at-least-once' | 'exactly-once'];
const tell = (event: string, detail: unknown = ''): void => {
  process.stdout.write(`${JSON.stringify({ event, detail })}\n`);
};
let held: AssignedPartition | undefined;
let lastOffset = -1n;

const child = member(kafkaOptions(brokers, { sessionTimeoutMs: 1_000, requestTimeoutMs: 2_000 }), {
  group,
  topics: [from],
  delivery,
  listener: {
    assigned: async ([partition]) => {
      if (partition === undefined || held !== undefined) return;
      held = partition;
      await resume(partition);
      const records = await partition.poll({ records: 2, bytes: 1_000_000 }, never);
      const [first, second] = records;
      await partition.deliver([output(to, `owner:${first!.value.toString()}`)], { position: first!.nextPosition, sequence: first!.sequence, outputsSent: 0 });
      lastOffset = second!.sequence;
      tell('holding');
    },
    revoked: () => {
      tell('revoked');
      return Promise.resolve();
    },
  },
});

createInterface({ input: process.stdin }).on('line', (line) => {
  const act = async (): Promise<void> => {
    if (line === 'deliver') {
      const checkpoint = { position: String(lastOffset + 1n), sequence: lastOffset, outputsSent: 0 };
      tell('delivered', await code(held!.deliver([output(to, 'zombie')], checkpoint)));
    }
    if (line === 'committed') tell('committed', await code(held!.committed()));
    if (line === 'close') {
      await child.close();
      tell('closed', child.failures.map(String));
      process.exit(0);
    }
  };
  void act();
});
