/** Which steps of an event a replay is about, where it names routes or tasks. */
import type { DecodedEvent } from '../../codec/event-names.ts';
import { cliError } from '../../core/errors/cli.ts';
import { chosenSteps, routeMatches, routeStepName, type EventKind, type Route } from '../../core/routes.ts';

export type StepFilter = { readonly routes: readonly string[]; readonly tasks: readonly string[] };

/** As `route/step`; none: the event is not concerned. Without a filter: undefined, for all that EXTRACT finds. */
export type ChooseSteps = (decode: () => Promise<DecodedEvent | undefined>) => Promise<readonly string[] | undefined>;

/** Throws LS_CLI_USAGE where no route or step of the configuration has such a name. */
export function stepChooser(routes: readonly Route[], filter: StepFilter): ChooseSteps {
  requireKnown('--route', filter.routes, routes.map(({ name }) => name));
  requireKnown('--task', filter.tasks, routes.flatMap(({ steps }) => steps.map(({ task }) => task)));
  if (filter.routes.length === 0 && filter.tasks.length === 0) return () => Promise.resolve(undefined);
  const concerned = filter.routes.length === 0 ? routes : routes.filter(({ name }) => filter.routes.includes(name));
  return async (decode) => {
    const event = await decode();
    return event === undefined ? [] : stepsOf(event, concerned, filter.tasks);
  };
}

function requireKnown(option: string, asked: readonly string[], known: readonly string[]): void {
  const unknown = asked.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw cliError('LS_CLI_USAGE', `${option} ${unknown}: the configuration has ${[...new Set(known)].join(', ') || 'none'}`);
}

const kinds: Readonly<Record<string, EventKind>> = { MediaEvent: 'media', TextEvent: 'text', RecordEvent: 'record' };

function stepsOf(decoded: DecodedEvent, routes: readonly Route[], tasks: readonly string[]): readonly string[] {
  const kind = kinds[decoded.schema];
  const { event } = decoded;
  if (kind === undefined || !('tasks' in event)) return [];
  // Whatever tasks a deletion asks for, every family of its routes hears of it.
  const asked = 'deleted' in event && event.deleted ? [] : event.tasks;
  return routes
    .filter((route) => routeMatches(route, kind, event))
    .flatMap((route) => {
      const steps = chosenSteps(route, { named: undefined, tasks: asked, known: new Map() });
      return steps.filter(({ task }) => tasks.length === 0 || tasks.includes(task)).map((step) => routeStepName(route, step));
    });
}
