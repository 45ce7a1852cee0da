/** The demo over a real Kafka: gets its jars with Maven (once), starts a broker that lives as long as the demo, and gives it to `labelstream demo`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startKafka } from '../test/brokers/kafka-broker.ts';

process.stderr.write('starting Kafka (the first time its 43 MB are fetched with Maven)\n');
const broker = await startKafka();
try {
  const program = spawn(process.execPath, [join(import.meta.dirname, '../bin/labelstream.js'), 'demo', '--brokers', broker.brokers, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = await new Promise<number>((ended) => program.on('close', (code) => ended(code ?? 1)));
} finally {
  await broker.close();
}
