/** What `serve` is told beside the configuration, under the names that feature extraction servers have for it. */
import { publishedTasks } from '../server/feature-extraction/published-tasks.ts';

export type ServeFlags = {
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly defaultTask?: string | undefined;
  readonly defaultModel: Readonly<Record<string, string>>;
  readonly defaultConsumerType?: string | undefined;
};

export type ServeSettings = {
  /** As --set has them, the strongest last. */
  readonly assignments: readonly string[];
  /** By task. */
  readonly defaultModels: Readonly<Record<string, string>>;
  /** What put them there, where that was not --set: by the path of the setting. */
  readonly givers: Readonly<Record<string, string>>;
};

type Variables = Readonly<Record<string, string | undefined>>;
type Given = { readonly path: string; readonly value: string; readonly giver: string };

const modelPrefix = 'DEFAULT_MODEL_';
const modelsPath = 'server.defaults.models.';

/** Python's names for levels. */
const levels: Readonly<Record<string, string>> = { warning: 'warn', critical: 'error', notset: 'trace' };

/** By what they are called as variables, and as options. */
const names: readonly { readonly variable: string; readonly option: string; readonly flag: Exclude<keyof ServeFlags, 'defaultModel'>; readonly path: string; readonly as: (text: string) => string }[] = [
  { variable: 'HOST', option: '--host', flag: 'host', path: 'server.host', as: String },
  { variable: 'PORT', option: '--port', flag: 'port', path: 'server.port', as: String },
  { variable: 'LOG_LEVEL', option: '--log-level', flag: 'logLevel', path: 'log.level', as: levelName },
  { variable: 'DEFAULT_TASK', option: '--default-task', flag: 'defaultTask', path: 'server.defaults.task', as: taskName },
  { variable: 'DEFAULT_CONSUMER_TYPE', option: '--default-consumer-type', flag: 'defaultConsumerType', path: 'inference.consumer', as: consumerName },
];

/** @param set of --set: above what stands in the environment, below options. */
export function serveSettings(flags: ServeFlags, set: readonly string[], environment: Variables, file: Variables): ServeSettings {
  const variables = { ...given(file), ...given(environment) };
  // As a person finds it.
  const giverOf = (name: string): string => (Object.hasOwn(given(environment), name) ? name : `${name} in .env`);
  const ofVariables = names.flatMap(({ variable, path, as }) => givenAs({ path, text: variables[variable], giver: giverOf(variable), as }));
  const ofFlags = names.flatMap(({ option, flag, path, as }) => givenAs({ path, text: flags[flag], giver: option, as }));
  const models: readonly Given[] = [
    // Two names may be of one task.
    ...[given(file), given(environment)].flatMap((each) => Object.entries(each)).flatMap(([name, model]) => (name.startsWith(modelPrefix) && model !== undefined ? [{ path: modelsPath + taskName(name.slice(modelPrefix.length)), value: model, giver: giverOf(name) }] : [])),
    ...Object.entries(flags.defaultModel).map(([task, value]) => ({ path: modelsPath + taskName(task), value, giver: '--default-model' })),
  ];
  const isSet = ({ path }: Given): boolean => set.some((assignment) => assignment.startsWith(`${path}=`));
  const assignment = ({ path, value }: Given): string => `${path}=${value}`;
  return {
    assignments: [...ofVariables.map(assignment), ...set, ...ofFlags.map(assignment)],
    defaultModels: Object.fromEntries(models.map(({ path, value }) => [path.slice(modelsPath.length), value])),
    givers: Object.fromEntries([...ofVariables.filter((each) => !isSet(each)), ...ofFlags, ...models].map(({ path, giver }) => [path, giver])),
  };
}

function givenAs({ path, text, giver, as }: { readonly path: string; readonly text: string | undefined; readonly giver: string; readonly as: (text: string) => string }): readonly Given[] {
  return text === undefined || text === '' ? [] : [{ path, value: as(text), giver }];
}

function given(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''));
}

/** Also as the jobs of feature extraction servers call it; of several that are one task here, by the first. */
function taskName(name: string): string {
  const hyphened = name.toLowerCase().replaceAll('_', '-');
  const published = publishedTasks.find((each) => each.name === hyphened);
  return published !== undefined && publishedTasks.find(({ task }) => task === published.task) === published ? published.task : hyphened;
}

function levelName(name: string): string {
  const lower = name.toLowerCase();
  return levels[lower] ?? lower;
}

/** `single_thread_consumer` is what those servers call it. Those of plugins have a name with a slash, and stay as they are. */
function consumerName(name: string): string {
  return name.includes('/') ? name : name.toLowerCase().replaceAll('_', '-').replace(/-consumer$/, '');
}
