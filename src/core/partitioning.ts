/**
 * Which partition a key belongs to, on every transport alike (SEMANTICS.md, rule 11): Kafka's default partitioner, that is murmur2 with seed
 * 0x9747b28c over the key's bytes, the sign bit masked, modulo the partition count.
 */
const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** Kafka's `Utils.murmur2`, as an unsigned 32-bit number. */
export function murmur2(data: Buffer): number {
  let hash = seed ^ data.length;
  const wholeWords = data.length & ~3;
  for (let offset = 0; offset < wholeWords; offset += 4) {
    let word = Math.imul(data.readInt32LE(offset), multiplier);
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  const tailLength = data.length - wholeWords;
  if (tailLength > 0) {
    for (let index = tailLength - 1; index >= 0; index--) hash ^= data.readUInt8(wholeWords + index) << (8 * index);
    hash = Math.imul(hash, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return (hash ^ (hash >>> 15)) >>> 0;
}

export function partitionForKey(key: Buffer | string, partitionCount: number): number {
  return (murmur2(typeof key === 'string' ? Buffer.from(key) : key) & 0x7fffffff) % partitionCount;
}
