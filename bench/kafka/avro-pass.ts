/** What decoding and encoding cost: TextEvents that are read, guarded, changed by nothing, and written again. */
import { openCodec } from '../../src/codec/codec.ts';
import { enginePass } from './engine-pass.ts';
import { fillTopic, type Measured, type PassPlan } from './messages.ts';

const codec = await openCodec();

export function avroInput(brokers: string, messageCount: number, messageBytes: number): Promise<string> {
  const encoded = (index: number, text: string): Buffer =>
    codec.encode('TextEvent', { id: String(index).padStart(8, '0'), source: 'bench', occurredAt: 1_700_000_000_000, text, language: null, tasks: [], collection: null, attributes: {}, deleted: false });
  const text = 'x'.repeat(messageBytes - encoded(0, '').length - 1);
  return fillTopic(brokers, messageCount, messageBytes, (index) => encoded(index, text));
}

export function avroPass(plan: PassPlan): Promise<Measured> {
  const map = ({ key, value, headers }: Parameters<NonNullable<Parameters<typeof enginePass>[1]['map']>>[0]) => ({ key, headers, value: codec.encode('TextEvent', codec.decodeAs('TextEvent', value)) });
  return enginePass(plan, { producer: 'platformatic', delivery: 'at-least-once', map });
}
