/** The rows that are in no cell: every pair is refused by a bound on its product, of the heads and of the norms of the tails. */
import { quantiseBatch, scanQuantisedBlock, type QuantisedBatch } from './quantised-scan.ts';
import type { QuantisedBlock } from './quantised-heads.ts';
import type { IndexedQuery, Products, ScanContext } from './scan-context.ts';
import { blockRows, extraNumbers, roundUp } from './row-layout.ts';
import { writeAugmentedHead } from './query-record.ts';

/** The blocks of the open area that this thread is to search and that are laid out alike, with the number of rows in each. */
type AlikeBlocks = { readonly segment: number; readonly headWidth: number; readonly blocks: OpenBlock[] };

type OpenBlock = { readonly local: number; readonly heads: Float32Array; readonly quantisedHeads: Uint8Array; readonly rows: number; readonly quantised: QuantisedBlock | undefined };

function alikeBlocks(context: ScanContext): AlikeBlocks[] {
  const groups = new Map<string, AlikeBlocks>();
  const { part, state: { openBlocks, openRows, openQuantised } } = context;
  for (const [position, index] of openBlocks.entries()) {
    if (position % part.count !== part.index) continue;
    const { segment, local, headWidth, heads, quantised: quantisedHeads } = context.block(index);
    const key = `${segment}/${headWidth}`;
    const group = groups.get(key) ?? { segment, headWidth, blocks: [] };
    groups.set(key, group);
    group.blocks.push({ local, heads, quantisedHeads, rows: Math.min(blockRows, openRows - position * blockRows), quantised: openQuantised[position] });
  }
  return [...groups.values()];
}

/** One query, by the kernels alone. */
export function scanOpenNow(context: ScanContext, indexed: IndexedQuery): void {
  for (const { segment, headWidth, blocks } of alikeBlocks(context)) {
    const kernels = context.layOut(segment, headWidth);
    context.writeRecords(segment, headWidth, [indexed]);
    for (const { local, rows } of blocks) {
      context.expectAnswers(segment);
      kernels.rows(context.record(0), local, 0, rows, indexed.query.bounds.low.constant);
      context.takeAnswers(segment, indexed);
    }
  }
}

/** At most `batchMax` queries, by matrix products: of integers where a block is quantised. */
export async function scanOpenBatch(context: ScanContext, batch: readonly IndexedQuery[], { reals, integers }: Products): Promise<void> {
  for (const { segment, headWidth, blocks } of alikeBlocks(context)) {
    const kernels = context.layOut(segment, headWidth);
    context.writeRecords(segment, headWidth, batch);
    const width = headWidth + extraNumbers;
    const queries = new Float32Array(batch.length * width);
    for (const [place, { query }] of batch.entries()) writeAugmentedHead(query, headWidth, queries.subarray(place * width, (place + 1) * width));
    let quantisedBatch: QuantisedBatch | undefined;
    const { scores } = context.scratch;
    for (const { local, heads, quantisedHeads, rows, quantised } of blocks) {
      if (quantised !== undefined && integers !== undefined) {
        quantisedBatch ??= quantiseBatch(batch, headWidth);
        await scanQuantisedBlock(context, segment, { local, rows, quantisedHeads, quantised }, batch, quantisedBatch, integers);
        continue;
      }
      const read = roundUp(rows, 16);
      await reals(queries, heads.subarray(0, read * width), width, new Float32Array(context.segment(segment).memory.buffer, scores, batch.length * read));
      for (const [place, indexed] of batch.entries()) {
        context.expectAnswers(segment);
        kernels.scan(context.record(place), scores + place * read * 4, rows, indexed.query.bounds.low.constant, local);
        context.takeAnswers(segment, indexed);
      }
    }
  }
}
