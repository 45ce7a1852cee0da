import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that start a broker: `npm run test:kafka`. Each takes up to some minutes. */
export const brokerTests = [
  'test/brokers/kafka-*.test.ts',
  'test/{conformance,crash,integration}/kafka-*.test.ts',
  'test/service/kafka-{administration,commands,demo,document,http,instances,leaderless,outages,rebuild,repartition,secured,silence,start,topics}.test.ts',
  'test/transports/kafka/{delivery-rules,group-membership,hidden-tails,kafka-reading,leader-moves,producers,producers-secured}.test.ts',
];
const withBroker = process.env['LABELSTREAM_TEST_BROKER'] === 'yes';

/** Folders whose files take minutes, since they start the real program again and again, and others of which some do. */
const slowFirst = ['crash', 'service', 'cli', 'integration', 'examples', 'repository', 'models', 'bench'];

/** Otherwise a file of minutes may come last, and the other workers wait for it. */
class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = slowFirst.findIndex((folder) => moduleId.includes(`/test/${folder}/`));
      return rank === -1 ? slowFirst.length : rank;
    };
    return (await super.sort(files)).sort((one, other) => rankOf(one) - rankOf(other));
  }
}

export default defineConfig({
  test: {
    include: withBroker ? brokerTests : ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(withBroker ? [] : brokerTests)],
    globalSetup: ['test/brokers/shared-broker.ts'],
    // Worker threads and programs that tests start need not be compiled anew each time.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') },
    sequence: { sequencer: SlowFirst },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    // In hooks brokers start, which waits where others use the machine.
    hookTimeout: 240_000,
    // A poll ends when its condition holds; on a loaded machine a second is nothing.
    expect: { poll: { timeout: 20_000 } },
  },
});
