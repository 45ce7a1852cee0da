/**
 * A process without addresses for another shared memory: what its searches do, and that they answer right all the same. Prints JSON. Each memory takes
 * addresses alone, so that this needs neither memory nor time.
 */
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import { RowStore } from '../../../src/clustering/search/row-store.ts';
import { sharedMemory, type SharedMemory } from '../../../src/clustering/search/web-assembly.ts';
import { createRandom } from '../random.ts';

const dimensions = 160;
const parameters = { metric: 'cosine', eps: 0.3, minPoints: 5 } as const;
const random = createRandom(11);
const centres = Array.from({ length: 8 }, () => Float32Array.from({ length: dimensions }, () => random.gaussian()));
const vectors = Array.from({ length: 1_000 }, () => random.pick(centres).map((value) => value + random.gaussian() * 0.5));
const open = (kernel?: 'cells') => createNeighbourSearch(dimensions, parameters, kernel === undefined ? {} : { kernel });
type Search = ReturnType<typeof open>;

const sorted = (points: Int32Array): string => [...points].sort((one, other) => one - other).join();

async function isExact(search: Search): Promise<boolean> {
  const plain = createPlainSearch(dimensions, parameters);
  for (const vector of vectors) if ((await search.prepare([vector]))[0]?.point !== (await plain.prepare([vector]))[0]?.point) return false;
  for (let index = 0; index < vectors.length; index += 100) {
    const query = vectors[index] as Float32Array;
    if (sorted(await search.find(query)) !== sorted(await plain.find(query))) return false;
  }
  return true;
}

function codeOf(action: () => void): string {
  try {
    action();
    return 'none';
  } catch (error) {
    return error instanceof LabelstreamError ? error.code : String(error);
  }
}

const taken: SharedMemory[] = [];
const takeAll = (): void => {
  for (let memory = sharedMemory(0, 1); memory !== undefined; memory = sharedMemory(0, 1)) taken.push(memory);
};

// So many numbers that the second block needs a second memory: that of a vector too small for float32 kernels is one.
const wide = 150_000;
const store = new RowStore(wide);
store.add(new Float32Array(wide).fill(1), Math.sqrt(wide));
const withRows = open('cells');
await withRows.prepare([vectors[0] as Float32Array]);
withRows.release(0);
takeAll();
const second = codeOf(() => store.add(new Float32Array(wide).fill(1e-40), 1e-40 * Math.sqrt(wide)));
const sizeAfter = store.points.size;
const small = open();
const smallIsExact = await isExact(small);
const withoutCells = await isExact(withRows);
console.log(
  JSON.stringify({
    taken: taken.length > 0,
    second,
    sizeAfter,
    smallIsExact,
    small: small.statistics(),
    withoutCells,
    withRows: withRows.statistics(),
    forced: codeOf(() => open('cells').load(vectors[0] as Float32Array)),
  }),
);
