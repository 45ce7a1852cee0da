/**
 * How much is asked of each host and container at once, and what is known of those that are away. A source that hangs keeps its own places and its own
 * part of the memory, and no more, so that the others' references go on. While a source does not answer, one attempt at a time finds out whether it
 * does again; whoever else comes is told at once what the last one met, and tries again later, holding nothing meanwhile.
 */
import { createBudget, type Budget } from '../../core/budget.ts';
import type { Clock } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { ContentSource } from './content-fetcher.ts';

export type SourceGatesOptions = {
  readonly clock: Pick<Clock, 'elapsedMs'>;
  /** Of content that is held, shared with whoever else holds some; one is always admitted. */
  readonly bytes: Budget;
  /** What of it one source may have while it is being fetched from. */
  readonly sourceBytesMax: number;
  readonly requestsMax: number;
  readonly requestsPerSourceMax: number;
  /** Whether a failure says that the whole source is away. */
  readonly isOutage: (error: unknown) => error is LabelstreamError;
  readonly observer: SourceObserver;
};

export type SourceObserver = {
  /** It has failed, having answered before. */
  readonly away: (source: ContentSource, error: unknown) => void;
  /** It answers again, or nobody waits for it any more. */
  readonly back: (source: ContentSource, answers: boolean) => void;
};

export type SourceGates = {
  /** Counts who wants something of a source, from the first attempt to the last: to be called when nothing is wanted any more. */
  readonly enter: (source: ContentSource) => () => void;
  /** One attempt, when there is room for it. Resolves with what gives the bytes back; rejects with what `attempt` rejects with, or has lately. */
  readonly pass: <Result>(source: ContentSource, sizeBytes: number, signal: AbortSignal, attempt: () => Promise<Result>) => Promise<{ readonly result: Result; readonly release: () => void }>;
};

type Gate = {
  readonly source: ContentSource;
  readonly requests: Budget;
  readonly bytes: Budget;
  users: number;
  outage: { readonly error: LabelstreamError; readonly failures: number; readonly probeAtMs: number } | undefined;
};

/** Between two attempts at a source that is away. */
const probeBaseMs = 250;
const probeCapMs = 10_000;

export function createSourceGates(options: SourceGatesOptions): SourceGates {
  const { requestsMax, requestsPerSourceMax, sourceBytesMax, observer } = options;
  const gates = new Map<string, Gate>();
  const requests = createBudget(requestsMax);
  const keyOf = ({ kind, name }: ContentSource): string => `${kind} ${name}`;
  const gateOf = (source: ContentSource): Gate => {
    const gate = gates.get(keyOf(source)) ?? { source, requests: createBudget(requestsPerSourceMax), bytes: createBudget(sourceBytesMax), users: 0, outage: undefined };
    gates.set(keyOf(source), gate);
    return gate;
  };
  return {
    enter: (source) => {
      const gate = gateOf(source);
      gate.users += 1;
      return () => {
        gate.users -= 1;
        if (gate.users > 0) return;
        // Those below a wildcard are as many as somebody likes to make up.
        gates.delete(keyOf(source));
        if (gate.outage !== undefined) observer.back(source, false);
      };
    },
    pass: async (source, sizeBytes, signal, attempt) => {
      const gate = gateOf(source);
      const places = await takePlaces([[gate.requests, 1], [gate.bytes, sizeBytes], [requests, 1], [options.bytes, sizeBytes]], signal);
      const release = places.pop() ?? (() => undefined);
      try {
        return { result: await attemptAt(gate, options, attempt), release };
      } catch (error) {
        release();
        throw error;
      } finally {
        for (const giveBack of places) giveBack();
      }
    },
  };
}

/** All, always in the same order: so nobody waits for who waits for them. */
async function takePlaces(wanted: readonly (readonly [Budget, number])[], signal: AbortSignal): Promise<(() => void)[]> {
  const taken: (() => void)[] = [];
  try {
    for (const [budget, amount] of wanted) taken.push(await budget.take(amount, signal));
    return taken;
  } catch (error) {
    for (const giveBack of taken) giveBack();
    throw error;
  }
}

async function attemptAt<Result>(gate: Gate, { clock, isOutage, observer }: SourceGatesOptions, attempt: () => Promise<Result>): Promise<Result> {
  const before = gate.outage;
  if (before !== undefined) {
    if (clock.elapsedMs() < before.probeAtMs) throw lately(gate.source, before.error);
    // Until it ends this one asks for all.
    gate.outage = { ...before, probeAtMs: Infinity };
  }
  const answered = (): void => {
    if (gate.outage !== undefined) observer.back(gate.source, true);
    gate.outage = undefined;
  };
  try {
    const result = await attempt();
    answered();
    return result;
  } catch (error) {
    if (isOutage(error)) {
      if (gate.outage === undefined) observer.away(gate.source, error);
      const failures = (before?.failures ?? 0) + 1;
      gate.outage = { error, failures, probeAtMs: clock.elapsedMs() + Math.min(probeCapMs, probeBaseMs * 2 ** Math.min(failures - 1, 40)) };
    } else if (error instanceof LabelstreamError) answered();
    // Who gave up knows nothing: the next one may ask.
    else if (before !== undefined && gate.outage !== undefined) gate.outage = { ...before, probeAtMs: 0 };
    throw error;
  }
}

/** The same failure without what was asked for, which was another's reference. */
function lately({ kind, name }: ContentSource, { code, description, details }: LabelstreamError): LabelstreamError {
  const reason = typeof details['reason'] === 'string' ? `: ${details['reason']}` : '';
  return new LabelstreamError(code, description, `${kind === 'container' ? 'the container ' : ''}${name} did not answer when it was last asked${reason}`, details);
}
