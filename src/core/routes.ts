/**
 * Routes: which steps an event goes through (SEMANTICS.md, rule 7). The steps of a route are an acyclic graph: an edge from a step to each
 * step whose top label its collection template reads.
 */
import type { TaskConfig } from './task-config.ts';
import { stepsOf, type Template } from './templates.ts';

export type EventKind = 'media' | 'text' | 'record';

/** What a step says to its task, beside the event. */
export type StepParameters = {
  /** What an answer begins with; it reads fields and attributes of the event, and no labels. */
  readonly text?: Template;
  readonly classes?: readonly string[];
  readonly config?: TaskConfig;
};

export type RouteStep = {
  readonly name: string;
  readonly task: string;
  readonly model: string;
  /** Where the features of a features step go; undefined for a step that produces a label. */
  readonly collection: Template | undefined;
  readonly parameters?: StepParameters;
};

export type Route = {
  readonly name: string;
  readonly from: EventKind;
  /** Every condition must hold; none: every event of that kind. */
  readonly where: {
    readonly source?: string | undefined;
    readonly language?: string | undefined;
    readonly attributes?: Readonly<Record<string, string>> | undefined;
  };
  /** In an order in which every step comes after the steps it reads. */
  readonly steps: readonly RouteStep[];
};

export type RoutedEvent = {
  readonly source: string;
  readonly language?: string | null;
  readonly attributes: Readonly<Record<string, string>>;
};

export function routeMatches(route: Route, kind: EventKind, event: RoutedEvent): boolean {
  if (route.from !== kind) return false;
  const { source, language, attributes } = route.where;
  if (source !== undefined && event.source !== source) return false;
  if (language !== undefined && event.language !== language) return false;
  return Object.entries(attributes ?? {}).every(([name, value]) => Object.hasOwn(event.attributes, name) && event.attributes[name] === value);
}

/** What is to be run of an event: named steps, or whatever the tasks that it asks for need. */
export type StepChoice = {
  /** As `route/step`; undefined: by the tasks alone. */
  readonly named: ReadonlySet<string> | undefined;
  /** Tasks that the event asks for; none: all. */
  readonly tasks: readonly string[];
  /** Steps whose labels are known, and which are not run only because others read them. */
  readonly known: ReadonlyMap<string, string>;
};

/** The steps of a route that are chosen, and those whose labels they read, in the route's order. */
export function chosenSteps(route: Route, { named, tasks, known }: StepChoice): readonly RouteStep[] {
  const isChosen = (step: RouteStep): boolean =>
    named === undefined ? tasks.length === 0 || tasks.includes(step.task) : named.has(routeStepName(route, step));
  const chosen = new Set(route.steps.filter(isChosen));
  for (const step of [...route.steps].reverse()) {
    if (!chosen.has(step) || step.collection === undefined) continue;
    for (const needed of stepsOf(step.collection)) {
      if (known.has(needed)) continue;
      for (const candidate of route.steps) if (candidate.name === needed) chosen.add(candidate);
    }
  }
  return route.steps.filter((step) => chosen.has(step));
}

/** `route/step`: how a step is named in every event. */
export function routeStepName(route: Route, step: RouteStep): string {
  return `${route.name}/${step.name}`;
}

/** The steps in an order in which each comes after those it reads, or the steps of a cycle. Otherwise the given order is kept. */
export function orderSteps(steps: readonly RouteStep[]): { readonly ordered: readonly RouteStep[] } | { readonly cycle: readonly string[] } {
  const ordered: RouteStep[] = [];
  let waiting = [...steps];
  while (waiting.length > 0) {
    const open = new Set(waiting.map((step) => step.name));
    const ready = waiting.filter((step) => step.collection === undefined || !stepsOf(step.collection).some((needed) => open.has(needed)));
    if (ready.length === 0) return { cycle: waiting.map((step) => step.name) };
    ordered.push(...ready);
    waiting = waiting.filter((step) => !ready.includes(step));
  }
  return { ordered };
}
