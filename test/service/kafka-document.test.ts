// docs/kafka.md, followed from its first block to its last on a broker.
import { expect, test } from 'vitest';
import { sharedBrokers } from '../brokers/shared-broker.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';
import { blocksOf } from '../repository/documents.ts';
import { followBlock, prepare } from '../repository/run-blocks.ts';
import { withDirectory } from './program.ts';

const document = 'docs/kafka.md';

describeWith(await kafkaNeeds(), document, () => {
  test('its commands do what they should', { timeout: 240_000 }, async () => {
    const blocks = (await blocksOf(document)).filter(({ marks }) => marks.has('file') || marks.get('needs') === 'a Kafka broker');
    expect(blocks.length).toBeGreaterThan(3);
    await withDirectory(async (directory) => {
      await prepare(directory);
      for (const block of blocks) await followBlock(block, directory, { KAFKA_BROKER: sharedBrokers() });
    });
  });
});
