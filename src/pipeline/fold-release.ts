/** Delivering what was folded, in order, one delivery at a time: whatever came together while the delivery before it was under way goes with the next. */
import { cutDeliveries, type FoldDelivery } from './fold-deliveries.ts';
import { hasEnded, hold, type FoldRun } from './fold-run.ts';
import { bytesOf, deliverInRun } from './partition-run.ts';

/** Resolves when all is delivered that was folded and nothing more will be, or the run ended. Rejects with what stops the partition. */
export async function releaseFolded(run: FoldRun): Promise<void> {
  const { changed } = run;
  while (!hasEnded(run)) {
    await changed.until(() => run.folded.length > 0 || run.foldingEnded || hasEnded(run));
    if (hasEnded(run) || run.folded.length === 0) return;
    run.isDelivering = true;
    if (!(await deliverFolded(run))) return;
    run.isDelivering = false;
    changed.notify();
  }
}

/** False where the run ended first. */
async function deliverFolded(run: FoldRun): Promise<boolean> {
  const { context, folded } = run;
  const { limits } = context;
  run.folded = [];
  let delivered = 0;
  for (const delivery of cutDeliveries(folded, run.standing, { records: limits.deliveryRecordsMax, bytes: limits.deliveryBytesMax })) {
    const { outputs, checkpoint, inputs } = delivery;
    const settled = await deliverInRun(context, { outputs, checkpoint, previous: run.standing }, inputs, run.working.signal);
    if (!settled || hasEnded(run)) return false;
    run.standing = checkpoint;
    const complete = folded.slice(delivered, delivered + inputs).map(({ record }) => record);
    delivered += inputs;
    letGo(run, delivery);
    if (inputs > 0) hold(run, { records: -inputs, bytes: -bytesOf(complete) });
    run.changed.notify();
  }
  return true;
}

function letGo(run: FoldRun, { outputs, bytes }: FoldDelivery): void {
  const { outputsHeld } = run;
  run.outputsHeld = { records: outputsHeld.records - outputs.length, bytes: outputsHeld.bytes - bytes };
}
