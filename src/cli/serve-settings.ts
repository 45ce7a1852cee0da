/** What `serve` is told beside the configuration, under the names that feature extraction servers have for it. */

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
};

type Variables = Readonly<Record<string, string | undefined>>;

const modelPrefix = 'DEFAULT_MODEL_';

/** Python's names for levels. */
const levels: Readonly<Record<string, string>> = { warning: 'warn', critical: 'error', notset: 'trace' };

/** @param set of --set: above what stands in the environment, below options. */
export function serveSettings(flags: ServeFlags, set: readonly string[], environment: Variables, file: Variables): ServeSettings {
  const variables = { ...file, ...given(environment) };
  const fromVariables = assignmentsOf({
    host: variables['HOST'],
    port: variables['PORT'],
    logLevel: variables['LOG_LEVEL'],
    defaultTask: variables['DEFAULT_TASK'],
    defaultConsumerType: variables['DEFAULT_CONSUMER_TYPE'],
  });
  const models = Object.entries(variables).flatMap(([name, model]) => (name.startsWith(modelPrefix) && model !== undefined ? [[taskName(name.slice(modelPrefix.length)), model]] : []));
  const ofFlags = Object.entries(flags.defaultModel).map(([task, model]) => [taskName(task), model]);
  return { assignments: [...fromVariables, ...set, ...assignmentsOf(flags)], defaultModels: Object.fromEntries([...models, ...ofFlags]) as Record<string, string> };
}

function given(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''));
}

function assignmentsOf({ host, port, logLevel, defaultTask, defaultConsumerType }: Omit<ServeFlags, 'defaultModel'>): readonly string[] {
  const all: readonly (readonly [string, string | undefined])[] = [
    ['server.host', host],
    ['server.port', port],
    ['log.level', logLevel && levelName(logLevel)],
    ['server.defaults.task', defaultTask && taskName(defaultTask)],
    ['inference.consumer', defaultConsumerType && consumerName(defaultConsumerType)],
  ];
  return all.flatMap(([path, value]) => (value === undefined || value === '' ? [] : [`${path}=${value}`]));
}

const taskName = (name: string): string => name.toLowerCase().replaceAll('_', '-');

function levelName(name: string): string {
  const lower = name.toLowerCase();
  return levels[lower] ?? lower;
}

/** `single_thread_consumer` is what those servers call it. Those of plugins have a name with a slash, and stay as they are. */
function consumerName(name: string): string {
  return name.includes('/') ? name : name.toLowerCase().replaceAll('_', '-').replace(/-consumer$/, '');
}
