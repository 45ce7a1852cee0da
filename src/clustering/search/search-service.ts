/** What a search worker does: it answers one search after the other, of any number of indexes. */
import type { MessagePort } from 'node:worker_threads';
import { openProducts, type OpenProducts } from './onnx-product.ts';
import { addCosts, RangeScan } from './range-scan.ts';
import { rowLayout } from './row-layout.ts';
import type { Products } from './scan-context.ts';
import { searchedVectors, type SearchReply, type SearchRequest, type WorkerReply, type WorkerRequest, type WorkerSetup } from './search-protocol.ts';

export function serveSearches({ worker }: WorkerSetup, port: MessagePort): void {
  const scans = new Map<number, RangeScan>();
  let opened: Promise<OpenProducts | undefined> | undefined;
  // Where onnxruntime cannot be loaded the kernels do everything.
  const products = (): Promise<Products | undefined> => (opened ??= openProducts().catch(() => undefined));
  const scanOf = ({ index, dimensions }: SearchRequest): RangeScan => {
    const scan = scans.get(index) ?? new RangeScan(rowLayout(dimensions), worker);
    scans.set(index, scan);
    return scan;
  };
  const answer = async (request: SearchRequest): Promise<void> => {
    try {
      const reply = await search(request, scanOf(request), products);
      port.postMessage(reply, [reply.points.buffer, reply.ends.buffer]);
    } catch (error) {
      port.postMessage({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) } satisfies WorkerReply);
    }
  };
  const close = async (): Promise<void> => {
    await (await opened)?.release();
    port.close();
  };
  // Chained: a run blocks the thread only between its awaits, and nothing may end the thread within one.
  let last = Promise.resolve();
  port.on('message', (request: WorkerRequest) => {
    if (request.kind === 'search') last = last.then(() => answer(request));
    else if (request.kind === 'forget') last = last.then(() => void scans.delete(request.index));
    else last = last.then(close);
  });
}

async function search({ dimensions, state, queries, parameters, part }: SearchRequest, scan: RangeScan, products: () => Promise<Products | undefined>): Promise<SearchReply> {
  scan.hand(state);
  const before = { ...scan.costs };
  const found = await scan.search(searchedVectors(queries, dimensions), parameters, await products(), part);
  return { kind: 'found', ...found, costs: addCosts(scan.costs, before, -1) };
}
