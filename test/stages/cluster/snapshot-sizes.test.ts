/** A collection whose records do not match its clustering is not taken for whole (SEMANTICS.md, rule 17). */
import { expect, it } from 'vitest';
import { asChunks, openFold, openWithItems } from './fold-harness.ts';

it('refuses a snapshot in which a collection has fewer records than its clustering has items', async () => {
  const harness = await openWithItems([[0, 0], [0.5, 0], [9, 9]]);
  const replaced: string[] = [];
  const replaceIn = (chunk: Buffer, text: string, by: string): Buffer => {
    const at = chunk.indexOf(text);
    if (at < 0) return chunk;
    replaced.push(text);
    const payload = Buffer.concat([chunk.subarray(5, at), Buffer.from(by), chunk.subarray(at + text.length)]);
    const header = Buffer.from(chunk.subarray(0, 5));
    header.writeUInt32BE(payload.length);
    return Buffer.concat([header, payload]);
  };
  const chunks = Array.from(harness.partition.snapshot(), (chunk) => {
    if (chunk.includes('"clusterNames"')) return replaceIn(chunk, '"itemCount":3', '"itemCount":2');
    const last = /,\{"itemId":"test\/c".*\}(?=\])/.exec(chunk.toString('latin1'));
    return last === null ? chunk : replaceIn(chunk, last[0], '');
  });
  expect(replaced).toHaveLength(2);
  await expect(openFold().partition.restore(asChunks(chunks))).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
});
