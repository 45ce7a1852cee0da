/** A group of tests with needs beyond the repository: where one is missing they are skipped, loudly; with LABELSTREAM_TEST_REQUIRE=all they fail. */
import { describe, expect, test } from 'vitest';
import { chooseKafkaRuntime } from './kafka-runtime.ts';

export type Needs = Readonly<Record<string, boolean>>;

export function describeWith(needs: Needs, name: string, body: () => void): void {
  const missing = Object.entries(needs).flatMap(([need, there]) => (there ? [] : [need]));
  if (missing.length === 0) {
    describe(name, body);
    return;
  }
  const message = `"${name}" needs ${missing.join(' and ')}`;
  if (process.env['LABELSTREAM_TEST_REQUIRE'] === 'all') {
    test(name, () => {
      expect.fail(message);
    });
    return;
  }
  console.warn(`SKIPPED: ${message}`);
  describe.skip(`${name} (skipped: needs ${missing.join(' and ')})`, body);
}

/** What a real broker needs, for `describeWith` and `testWith`. The first call on a machine fetches the jars, which takes about a minute. */
export async function kafkaNeeds(): Promise<Needs> {
  try {
    await chooseKafkaRuntime();
    return {};
  } catch (error) {
    return { [`a Kafka broker (${error instanceof Error ? error.message : String(error)})`]: false };
  }
}
