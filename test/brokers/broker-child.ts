/** Starts a broker, tells its process number and directory, and leaves it running: for the test that kills this process. */
import { startKafka } from './kafka-broker.ts';

const broker = await startKafka();
process.stdout.write(`${broker.pid()}\n`);
setInterval(() => undefined, 1_000);
