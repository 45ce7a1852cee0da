import { configDefaults, defineConfig } from 'vitest/config';

/** Those that start a broker: `npm run test:kafka`. Each takes up to some minutes. */
export const brokerTests = [
  'test/brokers/kafka-*.test.ts',
  'test/{conformance,crash,integration}/kafka-*.test.ts',
  'test/service/kafka-{commands,demo,document,instances,leaderless,outages,rebuild,repartition,secured,silence,start,topics}.test.ts',
  'test/transports/kafka/{delivery-rules,group-membership,hidden-tails,kafka-reading,leader-moves,producers,producers-secured}.test.ts',
];
const withBroker = process.env['LABELSTREAM_TEST_BROKER'] === 'yes';

export default defineConfig({
  test: {
    include: withBroker ? brokerTests : ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(withBroker ? [] : brokerTests)],
    globalSetup: ['test/brokers/shared-broker.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    // In hooks brokers start, which waits where others use the machine.
    hookTimeout: 240_000,
    // A poll ends when its condition holds; on a loaded machine a second is nothing.
    expect: { poll: { timeout: 20_000 } },
  },
});
