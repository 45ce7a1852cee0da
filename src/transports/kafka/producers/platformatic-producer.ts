/**
 * Producing with @platformatic/kafka, in the order and with the promises of the kafkajs producer beside it: a plain call awaits its sends one after
 * the other and repeats nothing that was not answered; a transactional producer makes one request at a time.
 */
import { compressionsAlgorithms, NumericMap } from '@platformatic/kafka';
import { kafkaError } from '../../../core/errors/kafka.ts';
import type { OutputRecord } from '../../../core/records.ts';
import { asKafkaError } from '../kafka-errors.ts';
import type { KafkaOptions } from '../kafka-options.ts';
import { recordSends } from '../record-batches.ts';
import { guardCalls } from './guarded-calls.ts';
import { producerClient, type ProducerClient, type ProducerIdentity } from './platformatic-client.ts';
import type { GroupOffset, PlainProducer, Producers, TransactionalProducer } from './producer-port.ts';

/** @throws LS_KAFKA_COMPRESSION for what this Node has no codec of (zstd before 22.15). */
export function platformaticProducers(options: KafkaOptions): Producers {
  const { compression } = options;
  if (!compressionsAlgorithms[compression].available) throw kafkaError('LS_KAFKA_COMPRESSION', `This Node cannot compress with ${compression}.`, { compression });
  return { open: () => openPlain(options), openTransactional: (transactionalId) => openTransactional(options, transactionalId) };
}

async function openPlain(options: KafkaOptions): Promise<PlainProducer> {
  const client = producerClient(options);
  const calls = guardCalls({ operation: 'produce' }, options.clock, client.close);
  await calls.open(client.checkVersions);
  const send = async (records: readonly OutputRecord[]) => {
    for (const part of recordSends(records)) await client.produce(part);
  };
  return { send: (records) => calls.run(() => send(records)), close: calls.close };
}

async function openTransactional(options: KafkaOptions, transactionalId: string): Promise<TransactionalProducer> {
  const client = producerClient(options);
  const calls = guardCalls({ operation: 'produce in a transaction', transactionalId }, options.clock, client.close);
  const sequences = new NumericMap();
  const identity = await calls.open(async () => {
    await client.checkVersions();
    return client.initProducerId(transactionalId);
  });

  const transact = async (records: readonly OutputRecord[], offset: GroupOffset | undefined) => {
    if (records.length === 0 && offset === undefined) return;
    if (records.length > 0) await client.addPartitions(identity, records);
    for (const part of recordSends(records)) await client.produce(part, { identity, sequences });
    if (offset !== undefined) await commitOffset(client, identity, offset);
    await client.commit(identity);
  };
  return { transact: (records, offset) => calls.runAlone(() => transact(records, offset)), close: calls.close };
}

async function commitOffset(client: ProducerClient, identity: ProducerIdentity, offset: GroupOffset): Promise<void> {
  try {
    await client.commitOffset(identity, offset);
  } catch (error) {
    const { topic, partition, group } = offset;
    throw asKafkaError(error, { operation: 'commit an offset in a transaction', topic, partition, group });
  }
}
