/** The demo over a real Kafka: gets its jars with Maven (once), starts a broker that lives as long as the demo, and gives it to `labelstream demo`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startKafka } from '../test/brokers/kafka-broker.ts';
import { chooseKafkaRuntime } from '../test/brokers/kafka-runtime.ts';

process.stderr.write('starting Kafka (the first time its 43 MB are fetched with Maven)\n');
const missing = await chooseKafkaRuntime().then(() => undefined, (error: unknown) => (error instanceof Error ? error.message : String(error)));
if (missing === undefined) process.exitCode = await demo();
else {
  const remedy = 'Install Java 17 or newer and Maven, or start Docker; without them `npm run demo` shows the same on the embedded log.';
  process.stderr.write(`labelstream: there is no Kafka for the demo: ${missing.replaceAll(/\s+/g, ' ')}. ${remedy}\n`);
  process.exitCode = 1;
}

async function demo(): Promise<number> {
  const broker = await startKafka();
  try {
    const program = spawn(process.execPath, [join(import.meta.dirname, '../bin/labelstream.js'), 'demo', '--brokers', broker.brokers, ...process.argv.slice(2)], { stdio: 'inherit' });
    return await new Promise<number>((ended) => program.on('close', (code) => ended(code ?? 1)));
  } finally {
    await broker.close();
  }
}
