/** Tests with needs beyond the repository: where one is missing they are skipped, loudly; with LABELSTREAM_TEST_REQUIRE=all they fail. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, test, type TestOptions } from 'vitest';
import { chooseKafkaRuntime } from './brokers/kafka-runtime.ts';

export type Needs = Readonly<Record<string, boolean>>;

/** A group of tests. */
export function describeWith(needs: Needs, name: string, body: () => void): void {
  if (isReady(needs, name)) describe(name, body);
}

export function testWith(needs: Needs, name: string, options: TestOptions, run: () => Promise<void>): void {
  if (isReady(needs, name)) test(name, options, run);
}

/** Where it is not, a test of that name fails or is skipped. */
function isReady(needs: Needs, name: string): boolean {
  const missing = Object.entries(needs).flatMap(([need, there]) => (there ? [] : [need]));
  if (missing.length === 0) return true;
  const message = `"${name}" needs ${missing.join(' and ')}`;
  if (process.env['LABELSTREAM_TEST_REQUIRE'] === 'all') {
    test(name, () => {
      expect.fail(message);
    });
  } else {
    console.warn(`SKIPPED: ${message}`);
    test.skip(`${name} (skipped: needs ${missing.join(' and ')})`);
  }
  return false;
}

export function fileThere(path: string): boolean {
  return existsSync(path);
}

export function commandThere(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** A service that the tests start, and fetch when it is first asked for. */
export async function serviceNeeds(service: string, fetch: () => Promise<unknown>): Promise<Needs> {
  try {
    await fetch();
    return {};
  } catch (error) {
    return { [`${service} (${error instanceof Error ? error.message : String(error)})`]: false };
  }
}

/** What a real broker needs. The first call on a machine fetches the jars, which takes about a minute. */
export function kafkaNeeds(): Promise<Needs> {
  return serviceNeeds('a Kafka broker', chooseKafkaRuntime);
}
