/** What the heap grows to while objects live for a while and become garbage, and what a thread may take. Prints JSON. `limited` as an argument: by heap-limits.ts. */
import { getHeapStatistics } from 'node:v8';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { limitHeaps } from '../src/heap-limits.ts';

const mebibyte = 2 ** 20;
/** Of an object below, about. */
const objectBytes = 1024;

/** Objects for so many bytes in all, of which the last `liveBytes` live. @returns the largest size of the heap. */
function churn(allBytes: number, liveBytes: number): number {
  const live: number[][] = [];
  let greatestBytes = 0;
  for (let made = 0; made < allBytes / objectBytes; made++) {
    live[made % (liveBytes / objectBytes)] = new Array<number>(objectBytes / 8).fill(0.5);
    if (made % 1_000 === 0) greatestBytes = Math.max(greatestBytes, getHeapStatistics().total_heap_size);
  }
  return greatestBytes;
}

if (isMainThread) {
  if (process.argv[2] === 'limited') limitHeaps();
  // How far the heap grows before what lives is looked for the first time is a guess of the engine's, which goes by how fast things go.
  churn(96 * mebibyte, 48 * mebibyte);
  globalThis.gc?.();
  const heapBytes = churn(768 * mebibyte, 48 * mebibyte);
  const worker = new Worker(new URL(import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 100, maxYoungGenerationSizeMb: 6 } });
  worker.on('message', (workerBytesMax: number) => process.stdout.write(JSON.stringify({ heapBytes, workerBytesMax })));
} else parentPort?.postMessage(getHeapStatistics().heap_size_limit);
