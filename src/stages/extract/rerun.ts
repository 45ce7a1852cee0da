/**
 * What a redrive or a replay asks for. Its headers count in the topics of those two alone: in an input topic anybody could send them, and a
 * parked record would carry them along.
 */
import type { ConsumedRecord, Headers } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { headerNames } from '../../pipeline/headers.ts';
import type { Labels } from './step-graph.ts';

export type Rerun = {
  /** As `route/step`; undefined: whatever a new event would go through. */
  readonly steps: readonly string[] | undefined;
  /** What steps gave that are not run again. */
  readonly labels: Labels;
  /** Made before. */
  readonly attempts: number;
  /** Which redrive of which dead letter: copies of a redriven record have it in common. */
  readonly redriveCause: string | undefined;
};

const firstRun: Rerun = { steps: undefined, labels: new Map(), attempts: 0, redriveCause: undefined };
const attemptsMax = 1_000_000;

export function rerunOf({ topic, headers }: ConsumedRecord): Rerun {
  if (topic !== topics.redrive && topic !== topics.replay) return firstRun;
  const steps = headers.get(headerNames.runRouteSteps)?.toString();
  const attempts = Number(headers.get(headerNames.runAttempts)?.toString() ?? 0);
  return {
    steps: steps?.split(','),
    labels: steps === undefined ? firstRun.labels : labelsOf(headers.get(headerNames.runResults)),
    attempts: Number.isInteger(attempts) && attempts >= 0 ? Math.min(attempts, attemptsMax) : 0,
    redriveCause: topic === topics.redrive ? redriveCauseOf(headers) : undefined,
  };
}

/** A replayed record has none: whoever replays an input twice wants it done twice. */
function redriveCauseOf(headers: Headers): string | undefined {
  const [of, number] = [headerNames.redriveOf, headerNames.redriveNumber].map((name) => headers.get(name)?.toString() ?? '');
  return of !== undefined && /^[0-9a-f]{16}$/.test(of) && number !== undefined && /^\d{1,9}$/.test(number) ? `${of} ${number}` : undefined;
}

/** None where the bytes are no object of texts: the steps that give them are then run, too. */
function labelsOf(bytes: Buffer | undefined): Labels {
  try {
    const parsed: unknown = JSON.parse(bytes?.toString() ?? '{}');
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return firstRun.labels;
    return new Map(Object.entries(parsed).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return firstRun.labels;
  }
}
