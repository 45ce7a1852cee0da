/** The entry of the engine's process. */
import { limitHeaps } from '../../src/heap-limits.ts';
import { serveCommands } from './child-process.ts';
import { openEngine, readSnapshotPlainly, type Advance, type Advanced, type Engine, type EngineOptions, type Labels } from './engine.ts';

export type EngineCommands = {
  readonly open: { readonly argument: EngineOptions; readonly result: undefined };
  readonly advance: { readonly argument: Advance; readonly result: Advanced };
  readonly labels: { readonly argument: readonly number[]; readonly result: Labels };
  readonly peakResidentBytes: { readonly argument: undefined; readonly result: number };
  readonly snapshot: { readonly argument: bigint; readonly result: { readonly seconds: number } };
  readonly restored: { readonly argument: undefined; readonly result: { readonly seconds: number; readonly fromSnapshot: boolean } };
  readonly readSnapshotPlainly: { readonly argument: string; readonly result: { readonly bytes: number; readonly seconds: number } };
};

let opened: Engine | undefined;
const engine = (): Engine => {
  if (opened === undefined) throw new Error('the engine is not open');
  return opened;
};

// As the program does.
limitHeaps();
serveCommands<EngineCommands>(
  {
    open: async (options) => {
      opened = await openEngine(options);
      return undefined;
    },
    advance: (to) => engine().advance(to),
    labels: (points) => Promise.resolve(engine().labels(points)),
    peakResidentBytes: () => engine().peakResidentBytes(),
    snapshot: (endSequence) => engine().snapshot(endSequence),
    restored: () => engine().restored(),
    readSnapshotPlainly: (directory) => readSnapshotPlainly(directory),
  },
  async () => opened?.close(),
);
