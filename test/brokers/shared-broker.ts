/**
 * One broker for all test files that neither stop nor configure theirs, started before the first of them: vitest's global set-up. Each test has a prefix
 * of names of its own there.
 */
import { startKafka } from './kafka-broker.ts';
import { chooseKafkaRuntime } from './kafka-runtime.ts';

const variable = 'LABELSTREAM_TEST_SHARED_BROKER';

/** Vitest calls what it answers at the end. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env['LABELSTREAM_TEST_BROKER'] !== 'yes') return undefined;
  // Where there can be no broker the tests say so themselves.
  const isPossible = await chooseKafkaRuntime().then(() => true, () => false);
  if (!isPossible) return undefined;
  const broker = await startKafka();
  // The processes of the tests are started with it.
  process.env[variable] = broker.brokers;
  return broker.close;
}

/** host:port. Stays when a test file ends. */
export function sharedBrokers(): string {
  const brokers = process.env[variable];
  if (brokers === undefined) throw new Error('There is no shared broker: it is started where LABELSTREAM_TEST_BROKER is yes.');
  return brokers;
}
