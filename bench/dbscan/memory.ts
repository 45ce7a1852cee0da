/**
 * What a collection takes in memory beyond the process that holds it, by what its vectors and edges alone are; and how long it takes to bring it back
 * from a snapshot, beside reading the same bytes.
 */
import { join } from 'node:path';
import { median } from '../interleaved-pairs.ts';
import { densityFigures, densityOf, makePoints, scaled, withEngine, withKernel, type BenchCase, type CaseContext, type CaseOutcome } from './bench-case.ts';
import { fillLog, type LogPart } from './bench-log.ts';
import { commitRecords } from './engine.ts';
import type { Distribution } from './points.ts';

const fullCount = 100_000;
const fullInserts = 10_000;
const restores = 3;
/**
 * What a process takes for its threads, the code that it compiles, and objects that are soon nobody's, is not the collection's: it is there before, once so
 * many points have come and gone again so many times.
 */
const warmingPoints = 2_048;
const warmingRounds = 4;
/** As deploy/Dockerfile starts the program. */
const environment = { MALLOC_MMAP_THRESHOLD_: '1048576', NODE_OPTIONS: '--max-semi-space-size=16' };

type Held = { readonly dimensions: number; readonly data: Distribution };

export const memory: readonly BenchCase[] = [
  memoryCase({ dimensions: 512, data: 'clustered' }),
  memoryCase({ dimensions: 64, data: 'clustered' }),
  memoryCase({ dimensions: 512, data: 'hard' }),
];

function memoryCase(held: Held): BenchCase {
  const name = `memory.${held.data}${held.dimensions}`;
  return {
    name,
    about: {
      [`${name}.bytesToLeast`]:
        `no ratio of speeds: (largest resident set - that of the same process with an empty collection) / (4 bytes per component + 8 per undirected edge), over a bulk load and inserts after it; the edges are those of the mean degree; at most 1.3 wanted. The empty collection is one that ${warmingPoints} points have come into and left ${warmingRounds} times, and as much as those few need is not asked for again: the least is that of the points beyond them`,
      [`${name}.restore`]: `times (no ratios) in seconds, medians of ${restores} processes: restore of the newest snapshot, and a plain read of the same file just before, both from the page cache; restore at most 2 reads and 0.5 s wanted`,
    },
    run: (context) => measure(context, name, held),
  };
}

async function measure(context: CaseContext, name: string, { dimensions, data }: Held): Promise<CaseOutcome> {
  const count = scaled(context, fullCount, 512);
  const grown = count + scaled(context, fullInserts);
  const warming = Math.min(warmingPoints, count);
  const points = await makePoints(context, { count: grown + commitRecords + warming, dimensions, data });
  const density = await withKernel(context, points, (kernel) => densityOf(kernel, points, grown));
  const warm = points.count - warming;
  const parts: LogPart[] = [
    ...Array.from({ length: warmingRounds }, () => [{ insert: { from: warm, to: points.count } }, { remove: Array.from({ length: warming }, (_, index) => warm + index) }]).flat(),
    { insert: { from: 0, to: count } },
    { insert: { from: count, to: grown } },
    { insert: { from: grown, to: warm } },
  ];
  const directory = join(context.directory, 'log');
  const ends = await fillLog({ directory, points: points.path, dimensions, parameters: density.parameters, parts, committedParts: parts.length - 2, group: 'bench' });
  const [emptyEnd, loadedEnd, grownEnd, end] = ends.slice(-4) as [bigint, bigint, bigint, bigint];
  const resident = await withEngine(async (engine) => {
    const peak = (): Promise<number> => engine.call('peakResidentBytes', undefined);
    await engine.call('open', { directory, group: 'bench', snapshots: true });
    // From here on the collection's items alone are what comes on top.
    await engine.call('advance', { endSequence: emptyEnd });
    const emptyBytes = await peak();
    const loaded = await engine.call('advance', { endSequence: loadedEnd });
    const loadedBytes = await peak();
    const inserted = await engine.call('advance', { endSequence: grownEnd });
    const grownBytes = await peak();
    const snapshot = await engine.call('snapshot', end);
    const snapshotBytes = await peak();
    return { emptyBytes, loadedBytes, grownBytes, snapshotBytes, loadSeconds: loaded.seconds, msPerInsert: (1000 * inserted.seconds) / inserted.items, snapshotSeconds: snapshot.seconds };
  }, environment);
  const leastBytes = leastBytesOf(grown, dimensions, density.meanDegree) - leastBytesOf(warming, dimensions, (density.meanDegree * warming) / grown);
  const figures = {
    points: grown, ...densityFigures(points, density), leastBytes,
    bytesToLeast: (resident.grownBytes - resident.emptyBytes) / leastBytes,
    bytesToLeastWithSnapshot: (resident.snapshotBytes - resident.emptyBytes) / leastBytes,
    resident, restore: await measureRestores(directory),
  };
  context.report(`${name}: ${JSON.stringify(figures)}`);
  return { ratios: {}, sides: [], figures: { [name]: figures } };
}

/** Every component 4 bytes, every edge 4 at each end. */
export function leastBytesOf(points: number, dimensions: number, meanDegree: number): number {
  return 4 * points * dimensions + (8 * points * meanDegree) / 2;
}

type Restore = { readonly bytes: number; readonly seconds: number; readonly restoreSeconds: number; readonly peakResidentBytes: number };

async function measureRestores(directory: string) {
  const measured: Restore[] = [];
  for (let restore = 0; restore < restores; restore += 1) {
    measured.push(
      await withEngine(async (engine) => {
        const read = await engine.call('readSnapshotPlainly', directory);
        await engine.call('open', { directory, group: 'bench', snapshots: true });
        const restored = await engine.call('restored', undefined);
        if (!restored.fromSnapshot) throw new Error('the state was not restored from a snapshot');
        return { ...read, restoreSeconds: restored.seconds, peakResidentBytes: await engine.call('peakResidentBytes', undefined) };
      }, environment),
    );
  }
  const middle = (of: (each: Restore) => number): number => median(measured.map(of));
  const [readSeconds, restoreSeconds] = [middle(({ seconds }) => seconds), middle((each) => each.restoreSeconds)];
  return { snapshotBytes: middle(({ bytes }) => bytes), readSeconds, restoreSeconds, wantedSecondsMax: 2 * readSeconds + 0.5, peakResidentBytes: middle((each) => each.peakResidentBytes), all: measured };
}
