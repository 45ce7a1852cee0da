import { createLogTransport } from '../../src/transports/log/log-transport.ts';
import { crashingLogStore } from '../transports/log/crashing-log-store.ts';
import { createMemoryLogStore } from '../transports/log/memory-log-store.ts';
import { describeTransport } from './transport-conformance.ts';

const recordBytesMax = 1024 * 1024;
/** `recordBytes` counts 64 for a record's bookkeeping. */
const valueBytesMax = recordBytesMax - 64;

describeTransport('the log transport on a store in memory', () => {
  const memory = createMemoryLogStore();
  const { store, crash } = crashingLogStore(memory);
  const transport = createLogTransport(store, { recordBytesMax });
  return Promise.resolve({
    transport,
    member: () => Promise.resolve(transport),
    crash,
    restart: () => Promise.resolve(createLogTransport(memory, { recordBytesMax })),
    removeFirst: async (topicPartition, count) => {
      const { startSequence } = await memory.bounds(topicPartition);
      memory.trim(topicPartition, startSequence + BigInt(count));
    },
    valueBytesMax,
    close: async () => {
      await transport.close();
      await memory.close();
    },
  });
});
