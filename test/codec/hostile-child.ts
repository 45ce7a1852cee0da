/** Run by hostile.test.ts in a process of its own, with little memory: `avsc` decodes a bomb unguarded, `codec` decodes hostile messages. */
import { openCodec } from '../../src/codec/codec.ts';
import { avscTypeOf } from '../../src/codec/avsc-types.ts';
import { parseSchema } from '../../src/codec/schema-model.ts';
import { concat, long, zero } from './avro-bytes.ts';
import { refusalOf } from './refusal.ts';
import { compileDecoder, compileReader } from '../../src/codec/decoder.ts';
import { defaultDecodeLimits } from '../../src/codec/avro-guard.ts';

const [mode, seed, count] = process.argv.slice(2);
const strings = parseSchema({ type: 'array', items: 'string' });
/** Seven bytes: "here come 2^31 strings", and the first of them. */
const bomb = concat(long(2 ** 31), zero, zero);

if (mode === 'avsc') {
  const type = avscTypeOf(strings);
  console.log('ready');
  type.decode(bomb);
  console.log('decoded');
} else if (mode === 'guarded') {
  const { decode } = compileDecoder(strings, compileReader(strings), defaultDecodeLimits);
  console.log(bomb.length, refusalOf(() => decode(bomb, 0))?.code);
} else {
  const codec = await openCodec();
  const { hostileMessages } = await import('./hostile-messages.ts');
  let refused = 0;
  for (const { bytes } of hostileMessages(Number(seed), Number(count))) {
    if (refusalOf(() => codec.decode(bytes))?.description.cause === 'input') refused++;
  }
  console.log(refused);
}
