/**
 * Whose batch is executed next, as a pure data structure that is told how long batches took.
 *
 * Between the priorities: interactive goes first, unless the stream is owed something. While both have a batch that is ready, each millisecond of
 * an interactive batch owes the stream its share of it, and each of its own pays the rest back:
 *
 *   interactive ran x   owed += share * x            owed > 0: the stream is next
 *   stream ran x        owed -= (1 - share) * x      otherwise interactive is
 *
 * so that over any time in which both always have work the stream has its share, and interactive all the rest, but for one batch. Who is alone
 * takes everything, and owes nothing for it.
 *
 * Between the models of one priority: start-time fair queueing. Each model has a tag, the time that its batches took; the smallest tag is next. A
 * model that comes back from idleness begins at the tag of the last batch: it has nothing saved up.
 *
 * A batch is charged by an estimate when it is handed out, because several are under way at a time, and by what it took when it comes back.
 */
import type { Priority } from './model-port.ts';

/** A model with a batch that is ready. */
export type Contender = {
  readonly model: string;
  readonly priority: Priority;
  /** Since when the oldest item of the batch has waited. */
  readonly sinceMs: number;
};

/** A batch that is under way. */
export type Execution = {
  readonly model: string;
  readonly priority: Priority;
  readonly estimateMs: number;
  readonly paddedCost: number;
  readonly isContended: boolean;
};

export type ExecutionShares = {
  /** The contender that is next; undefined where there is none. */
  readonly choose: (contenders: readonly Contender[]) => (Contender & { readonly isContended: boolean }) | undefined;
  /** @param paddedCost of the batch: its items times the length that they are padded to. */
  readonly begin: (chosen: Contender & { readonly isContended: boolean }, paddedCost: number) => Execution;
  /** The batch came back. One whose worker died never does: it keeps its estimate. */
  readonly end: (execution: Execution, durationMs: number) => void;
};

type Flow = { tagMs: number; wasReady: boolean };
type Class = { readonly flows: Map<string, Flow>; lastTagMs: number };

/** How much the newest batch says of how long the next one takes. */
const newestWeight = 0.2;

/** @param streamShareMin between 0 and 1: of the execution time, while both priorities have work. */
export function createExecutionShares(streamShareMin: number): ExecutionShares {
  const classes: Readonly<Record<Priority, Class>> = { interactive: { flows: new Map(), lastTagMs: 0 }, stream: { flows: new Map(), lastTagMs: 0 } };
  const msPerCost = new Map<string, number>();
  let streamOwedMs = 0;

  const charge = ({ model, priority, isContended }: Pick<Execution, 'model' | 'priority' | 'isContended'>, durationMs: number): void => {
    flowOf(classes[priority], model).tagMs += durationMs;
    if (isContended) streamOwedMs += priority === 'interactive' ? streamShareMin * durationMs : (streamShareMin - 1) * durationMs;
  };
  return {
    choose: (contenders) => {
      for (const priority of ['interactive', 'stream'] as const) noteReady(classes[priority], contenders.filter((contender) => contender.priority === priority));
      const isContended = contenders.some(({ priority }) => priority === 'interactive') && contenders.some(({ priority }) => priority === 'stream');
      const allowed = isContended ? contenders.filter(({ priority }) => priority === (streamOwedMs > 0 ? 'stream' : 'interactive')) : contenders;
      const [first, ...others] = allowed;
      if (first === undefined) return undefined;
      const ofClass = classes[first.priority];
      const tagOf = ({ model }: Contender): number => flowOf(ofClass, model).tagMs;
      let next = first;
      for (const other of others) {
        const difference = tagOf(other) - tagOf(next);
        if (difference < 0 || (difference === 0 && other.sinceMs < next.sinceMs)) next = other;
      }
      return { ...next, isContended };
    },
    begin: ({ model, priority, isContended }, paddedCost) => {
      classes[priority].lastTagMs = flowOf(classes[priority], model).tagMs;
      const execution = { model, priority, isContended, paddedCost, estimateMs: (msPerCost.get(model) ?? 0) * paddedCost };
      charge(execution, execution.estimateMs);
      return execution;
    },
    end: (execution, durationMs) => {
      const { model, estimateMs, paddedCost } = execution;
      charge(execution, durationMs - estimateMs);
      const newest = durationMs / paddedCost;
      const before = msPerCost.get(model) ?? newest;
      msPerCost.set(model, before + newestWeight * (newest - before));
    },
  };
}

function flowOf({ flows }: Class, model: string): Flow {
  let flow = flows.get(model);
  if (flow === undefined) flows.set(model, (flow = { tagMs: 0, wasReady: false }));
  return flow;
}

function noteReady(ofClass: Class, contenders: readonly Contender[]): void {
  const ready = new Set(contenders.map(({ model }) => model));
  for (const model of ready) {
    const flow = flowOf(ofClass, model);
    if (!flow.wasReady) flow.tagMs = Math.max(flow.tagMs, ofClass.lastTagMs);
  }
  for (const [model, flow] of ofClass.flows) flow.wasReady = ready.has(model);
}
