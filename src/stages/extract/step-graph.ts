/**
 * Runs the steps of one route on one event: each as soon as the steps whose labels its template reads are done. A failure stops only the
 * steps that need it (SEMANTICS.md, rule 7).
 */
import { routeStepName, type Route, type RouteStep } from '../../core/routes.ts';
import { stepsOf } from '../../core/templates.ts';
import type { TaskResult } from '../../tasks/task.ts';

export type StepResult = { readonly result: TaskResult; readonly topLabel: string | undefined; readonly collection: string | undefined };

export type StepOutcome =
  | ({ readonly status: 'done' } & StepResult)
  | { readonly status: 'failed'; readonly error: unknown; readonly attempt: number }
  /** A step that it needs failed; its own input was never tried. */
  | { readonly status: 'not-run' };

/** Never rejects. */
export type RunStep = (step: RouteStep, labels: ReadonlyMap<string, string>) => Promise<StepOutcome>;

/** Top labels by step. */
export type Labels = ReadonlyMap<string, string>;

/**
 * The outcome of each step, in the route's order. Never rejects.
 * @param known labels of steps that are not run this time.
 */
export async function runSteps(steps: readonly RouteStep[], known: Labels, run: RunStep): Promise<ReadonlyMap<RouteStep, StepOutcome>> {
  const running = new Map<string, Promise<StepOutcome>>();
  for (const step of steps) running.set(step.name, runStep(step, running, known, run));
  const outcomes = new Map<RouteStep, StepOutcome>();
  for (const step of steps) outcomes.set(step, (await running.get(step.name)) ?? { status: 'not-run' });
  return outcomes;
}

async function runStep(step: RouteStep, running: ReadonlyMap<string, Promise<StepOutcome>>, known: Labels, run: RunStep): Promise<StepOutcome> {
  const labels = new Map<string, string>();
  for (const needed of neededSteps(step)) {
    const label = await labelOf(needed, running, known);
    if (label === undefined) return { status: 'not-run' };
    labels.set(needed, label);
  }
  return run(step, labels);
}

async function labelOf(step: string, running: ReadonlyMap<string, Promise<StepOutcome>>, known: Labels): Promise<string | undefined> {
  const outcome = await running.get(step);
  if (outcome === undefined) return known.get(step);
  return outcome.status === 'done' ? (outcome.topLabel ?? '') : undefined;
}

function neededSteps(step: RouteStep): readonly string[] {
  return step.collection === undefined ? [] : stepsOf(step.collection);
}

export type FailedSteps = {
  readonly error: unknown;
  readonly attempt: number;
  readonly task: string;
  /** The failed step and those that were not run for want of it, as `route/step`. */
  readonly routeSteps: readonly string[];
  /** Top labels of the steps that succeeded and that these steps read. */
  readonly results: Readonly<Record<string, string>>;
};

/** One entry for each failed step; a step that waits for several failed ones is named with the first. */
export function failuresOf(route: Route, outcomes: ReadonlyMap<RouteStep, StepOutcome>, known: Labels): readonly FailedSteps[] {
  const claimed = new Set<RouteStep>();
  const failures: FailedSteps[] = [];
  for (const [failed, outcome] of outcomes) {
    if (outcome.status !== 'failed') continue;
    const group = [failed];
    for (const [step, { status }] of outcomes) {
      const waits = neededSteps(step).some((needed) => group.some(({ name }) => name === needed));
      if (status !== 'not-run' || claimed.has(step) || !waits) continue;
      claimed.add(step);
      group.push(step);
    }
    failures.push({
      error: outcome.error,
      attempt: outcome.attempt,
      task: failed.task,
      routeSteps: group.map((step) => routeStepName(route, step)),
      results: resultsNeeded(group, outcomes, known),
    });
  }
  return failures;
}

function resultsNeeded(group: readonly RouteStep[], outcomes: ReadonlyMap<RouteStep, StepOutcome>, known: Labels): Readonly<Record<string, string>> {
  const needed = new Set(group.flatMap(neededSteps));
  const results = Object.fromEntries([...known].filter(([name]) => needed.has(name)));
  for (const [step, outcome] of outcomes) {
    if (outcome.status === 'done' && needed.has(step.name)) results[step.name] = outcome.topLabel ?? '';
  }
  return results;
}
