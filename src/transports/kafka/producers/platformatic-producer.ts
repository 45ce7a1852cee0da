/**
 * Producing with @platformatic/kafka, in the order and with the promises of the kafkajs producer beside it: a plain call awaits its sends one after
 * the other and repeats nothing that was not answered; a transactional producer makes one request at a time.
 */
import { compressionsAlgorithms, NumericMap } from '@platformatic/kafka';
import { kafkaError } from '../../../core/errors/kafka.ts';
import type { OutputRecord } from '../../../core/records.ts';
import { asKafkaError, callOn, type KafkaCall } from '../kafka-errors.ts';
import type { KafkaOptions } from '../kafka-options.ts';
import { recordSends } from '../record-batches.ts';
import { sendByPartition } from './by-partition.ts';
import { guardCalls } from './guarded-calls.ts';
import { producerClient, type ProducerClient } from './platformatic-client.ts';
import type { GroupOffset, PlainProducer, Producers, TransactionalProducer } from './producer-port.ts';

/**
 * @param closing ends what is being opened.
 * @throws LS_KAFKA_COMPRESSION for what this Node has no codec of (zstd before 22.15).
 */
export function platformaticProducers(options: KafkaOptions, closing: AbortSignal = new AbortController().signal): Producers {
  const { compression } = options;
  if (!compressionsAlgorithms[compression].available) throw kafkaError('LS_KAFKA_COMPRESSION', `This Node cannot compress with ${compression}.`, { compression });
  return { open: () => openPlain(options, closing), openTransactional: (transactionalId, entitled) => openTransactional(options, closing, transactionalId, entitled) };
}

async function openPlain(options: KafkaOptions, closing: AbortSignal): Promise<PlainProducer> {
  const client = producerClient(options);
  const calls = guardCalls({ operation: 'produce' }, options, client.close, closing);
  await calls.open(client.checkVersions);
  return { send: (records) => calls.run(() => produceAll(client, options, records)), close: calls.close };
}

async function openTransactional(options: KafkaOptions, closing: AbortSignal, transactionalId: string, entitled?: () => Promise<void>): Promise<TransactionalProducer> {
  const client = producerClient(options);
  const calls = guardCalls({ operation: 'produce in a transaction', transactionalId }, options, client.close, closing);
  const sequences = new NumericMap();
  const identity = await calls.open(async () => {
    await client.checkVersions();
    await entitled?.();
    return client.initProducerId(transactionalId);
  });

  const transact = async (records: readonly OutputRecord[], offset: GroupOffset | undefined) => {
    if (records.length === 0 && offset === undefined) return;
    if (records.length > 0) await told(callOn('add to a transaction', records), () => client.addPartitions(identity, records));
    await produceAll(client, options, records, { identity, sequences });
    if (offset !== undefined) {
      const { topic, partition, group } = offset;
      await told({ operation: 'commit an offset in a transaction', topic, partition, group }, () => client.commitOffset(identity, offset));
    }
    await client.commit(identity);
  };
  return { transact: (records, offset) => calls.transact(() => transact(records, offset)), close: calls.close };
}

async function produceAll(
  client: ProducerClient,
  { limits }: Pick<KafkaOptions, 'limits'>,
  records: readonly OutputRecord[],
  as?: Parameters<ProducerClient['produce']>[1],
): Promise<void> {
  for (const part of recordSends(records, limits.bytesMax)) {
    const produce = () => (as === undefined ? sendByPartition(part, (ofPartition) => client.produce(ofPartition)) : client.produce(part, as));
    await told(callOn('produce to', part), produce);
  }
}

async function told(call: KafkaCall, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw asKafkaError(error, call);
  }
}
