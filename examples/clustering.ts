// A live clustering within a program of your own: eps chosen, vectors in and out, what changed by each, questions, and a snapshot that another process goes on
// from. `node clustering.ts SNAPSHOT` prints what it does and, last, a line of JSON. In a program of your own, or in a copy of this one,
// the import is from 'labelstream/clustering'.
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import {
  chooseEps, createClustering, createNeighbourSearch, createSearchWorkers, inSlices, restoreClustering,
  type Clustering, type NetChange, type OpenSearch,
} from '../src/clustering/index.ts';

const [file = 'clustering.snapshot'] = process.argv.slice(2);
const dimensions = 64;
const items = madeUpItems(2000);

// 1. eps: the largest distance at which two items are neighbours. Half of the items are enough to choose it; in slices, so that the process can do other work.
const minPoints = 5;
const choice = await inSlices(chooseEps(items.slice(0, 1000).map(({ vector }) => vector), { metric: 'cosine', minPoints }));
if (choice.suggestion === undefined) throw new Error('these vectors suggest no eps');
const { eps } = choice.suggestion;
console.log(`eps ${eps}, by ${choice.suggestion.reason}: ${choice.table.find((row) => row.eps === eps)?.clusterCount ?? 0} clusters`);

// 2. Vectors in, 64 at a time: their neighbours are looked for together, in a thread beside this one, and each is then a record of its own.
const workers = createSearchWorkers();
const openSearch: OpenSearch = (length, parameters) => createNeighbourSearch(length, parameters, { workers });
const clustering = createClustering({ metric: 'cosine', eps, minPoints }, { collection: 'example', epoch: 1, generation: 'g1' }, openSearch);
let sequence = 0n;
for (let start = 0; start < items.length; start += 64) {
  const batch = items.slice(start, start + 64);
  const prepared = await clustering.prepare(batch.map(({ vector }) => vector));
  for (const [index, { itemId, vector }] of batch.entries()) {
    const found = prepared[index];
    tell(clustering.apply([{ kind: 'insert', itemId, vector, ...(found !== undefined && { prepared: found }) }], ++sequence));
  }
}
console.log(`${clustering.size} items, ${clustering.clusterIds().length} clusters, ${clustering.noiseCount()} noise`);

// 3. Out again. `told`: whoever follows the changes is to hear of it.
tell(clustering.apply([{ kind: 'remove', itemId: 'item/0', told: true }], ++sequence));

// 4. Questions, which change nothing.
const vector = clustering.vector('item/1') ?? new Float32Array(dimensions);
const placement = await clustering.assign(vector);
console.log(`a vector like item/1 would be ${placement.role} of ${placement.clusterId ?? 'no cluster'}`);
const nearest = await clustering.nearest('item/1', 3);
console.log(`nearest to item/1: ${nearest.map(({ itemId, distance }) => `${itemId} (${distance.toFixed(3)})`).join(', ')}`);
const explanation = clustering.explain('item/1', 3);
if (explanation === undefined) throw new Error('item/1 is not here');
console.log(`item/1 is ${explanation.role}, since ${explanation.density} items are within eps and ${explanation.minPoints} make a core; record ${explanation.changedAt} put it there`);

// 5. A snapshot, in pieces that are to come back as they were given, and the clustering that another process makes of it.
await writeSnapshot(clustering, file);
const restored = await readSnapshot(file, openSearch);
const change = restored.apply([{ kind: 'remove', itemId: 'item/2', told: true }], ++sequence);
tell(change);
const isSame = restored.clusterIds().join() === clustering.clusterIds().join();

console.log(JSON.stringify({
  eps, items: clustering.size, clusters: clustering.clusterIds().length, noise: clustering.noiseCount(), placement, nearest,
  explanation: { ...explanation, changedAt: Number(explanation.changedAt) }, restoredItems: restored.size, isSame, search: searchOf(clustering),
}));
await restored.close();
await clustering.close();
await workers.close();

/** Whoever keeps the clusters of items elsewhere writes the assignments there, and of a merge that the retired ids are the survivor's. */
function tell({ transitions }: NetChange): void {
  for (const { type, survivor, retired, sizes } of transitions) {
    if (type === 'merged') console.log(`merged: ${retired.join(', ')} into ${survivor ?? ''}, ${sizes[0]?.size ?? 0} items`);
  }
}

/** Each piece behind its length. */
async function writeSnapshot(from: Clustering, path: string): Promise<void> {
  await pipeline(function* () {
    for (const piece of from.snapshot()) {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(piece.length);
      yield length;
      yield piece;
    }
  }, createWriteStream(path));
}

async function readSnapshot(path: string, search: OpenSearch): Promise<Clustering> {
  const pieces = piecesOf(createReadStream(path));
  return restoreClustering(async () => {
    const next = await pieces.next();
    return next.done === true ? undefined : next.value;
  }, search);
}

async function* piecesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let rest = Buffer.alloc(0);
  for await (const bytes of stream) {
    rest = Buffer.concat([rest, bytes]);
    for (;;) {
      const end = rest.length < 4 ? Infinity : 4 + rest.readUInt32LE(0);
      if (rest.length < end) break;
      yield rest.subarray(4, end);
      rest = rest.subarray(end);
    }
  }
}

function searchOf({ memoryBytes }: Clustering): { readonly vectorsBytes: number; readonly otherBytes: number } {
  const { search, structure, adjacency } = memoryBytes();
  return { vectorsBytes: search, otherBytes: structure + adjacency };
}

/** Vectors around five directions, a tenth of them around none. */
function madeUpItems(count: number): { readonly itemId: string; readonly vector: Float32Array }[] {
  let state = 1;
  const uniform = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const gaussian = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const random = (): Float32Array => Float32Array.from({ length: dimensions }, gaussian);
  const centres = Array.from({ length: 5 }, random);
  return Array.from({ length: count }, (_, index) => {
    const centre = index % 10 === 9 ? undefined : centres[index % centres.length];
    const noise = random();
    return { itemId: `item/${index}`, vector: centre === undefined ? noise : noise.map((value, axis) => 0.5 * value + (centre[axis] ?? 0)) };
  });
}
