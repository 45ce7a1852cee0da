/**
 * Loaded with `node --expose-gc --import` in front of the real program, and so in each of its threads: asked over the channel to its parent, it collects the
 * garbage of them all, and answers what is left. Nothing of the program knows of it.
 */
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

export type Memory = {
  readonly residentBytes: number;
  /** What the threads still refer to, on their heaps and beside them. */
  readonly liveBytes: number;
};

/** Between the threads: another one is there, the main one asks, another one answers. */
type Message = { readonly kind: 'started' | 'asked' } | { readonly kind: 'collected'; readonly liveBytes: number };

function collect(): number {
  // The second collection takes what the first one's finalizers let go.
  for (let round = 0; round < 2; round += 1) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const channel = new BroadcastChannel('labelstream-test-memory');
channel.unref();
const post = (message: Message): void => channel.postMessage(message);
let threads = 0;
let answers: number[] = [];
let answered = Promise.withResolvers<undefined>();
channel.onmessage = (event) => {
  const { data } = event as { readonly data: Message };
  if (!isMainThread) {
    if (data.kind === 'asked') post({ kind: 'collected', liveBytes: collect() });
  } else if (data.kind === 'started') threads += 1;
  else if (data.kind === 'collected') {
    answers.push(data.liveBytes);
    if (answers.length === threads) answered.resolve(undefined);
  }
};

async function measure(): Promise<Memory> {
  answers = [];
  answered = Promise.withResolvers();
  post({ kind: 'asked' });
  if (threads > 0) await answered.promise;
  const liveBytes = answers.reduce((sum, bytes) => sum + bytes, collect());
  return { residentBytes: process.memoryUsage.rss(), liveBytes };
}

if (isMainThread) {
  process.on('message', () => void measure().then((memory) => process.send?.(memory)));
  // Only the program's own work keeps it alive.
  process.channel?.unref();
} else post({ kind: 'started' });
