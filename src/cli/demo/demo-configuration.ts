/** The demo's configuration: the bundled models on an embedded log that lives as long as the demo, or on a Kafka that is there. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { packageDirectory } from '../../package-directory.ts';
import { parseConfiguration, type Configuration } from '../../config/load.ts';
import { tasks } from '../../tasks/registry.ts';
import { ConfigurationMistakes } from '../failure.ts';

const text = `
delivery: exactly-once
dataDirectory: \${DIRECTORY}
server: { enabled: false }
log: { level: warn }
models:
  encoder: { directory: models/static-text-encoder }
  topics: { directory: models/topic-classifier }
  notes: { directory: models/banknote-classifier }
  eye: { directory: models/visual-encoder }
  drawings: { directory: models/drawing-classifier }
routes:
  - name: texts
    from: text
    steps:
      - { name: topic, task: text-classification, model: topics }
      - { name: cluster, task: text-features, model: encoder, collection: texts }
  - name: banknotes
    from: record
    steps:
      - { name: predict, task: record-prediction, model: notes }
  - name: images
    from: media
    steps:
      - { name: object, task: image-classification, model: drawings }
      - { name: cluster, task: image-features, model: eye, collection: images }
collections:
  - { name: texts, eps: 0.34, minPoints: 5 }
  - { name: images, eps: 0.4, minPoints: 3 }
`;

/**
 * @param dataDirectory where log and state live.
 * @param brokers of Kafka; its topics get names of their own. Left out: the embedded log.
 */
export function demoConfiguration(dataDirectory: string, brokers?: string): Configuration {
  const file = join(packageDirectory, 'demo.yaml');
  const loaded = parseConfiguration(text + (brokers === undefined ? '' : kafkaText(brokers)), { file, environment: { DIRECTORY: dataDirectory }, assignments: [], tasks: [...tasks.values()] });
  if (loaded.configuration === undefined) throw new ConfigurationMistakes(file, loaded.mistakes);
  return loaded.configuration;
}

function kafkaText(brokers: string): string {
  const namePrefix = `labelstream-demo-${randomBytes(4).toString('hex')}.`;
  return `transport: ${JSON.stringify({ kind: 'kafka', brokers: brokers.split(','), namePrefix, producer: 'platformatic', partitionCount: 2 })}\n`;
}
