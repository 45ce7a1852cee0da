import type { Transport } from '../../pipeline/transport.ts';
import type { KafkaOptions } from './kafka-options.ts';

export function openKafkaTransport(options: KafkaOptions): Promise<Transport> {
  return Promise.reject(new Error(`not yet ${options.clientId}`));
}
