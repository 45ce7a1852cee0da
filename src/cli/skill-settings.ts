/** What `run` and `serve` are told by the environment, under the names that custom skills have for it. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { Overrides } from '../config/overrides.ts';
import { sha256OfKey } from '../server/api-keys.ts';

type Variables = Readonly<Record<string, string | undefined>>;

export type SkillSettings = {
  /** As --set has them. */
  readonly assignments: readonly string[];
  readonly keys: NonNullable<Overrides['keys']>;
  /** What put them there, where that was not --set: by the path of the setting. */
  readonly givers: NonNullable<Overrides['givers']>;
};

/** In the log, of requests with that key. */
const keyName = 'KEY';
const labelsPath = 'server.skill.labels';

/** @param file what `.env` holds, which the environment wins over. @param set of --set, which wins over both. */
export function skillSettings(environment: Variables, file: Variables, set: readonly string[], workingDirectory = process.cwd()): SkillSettings {
  const variable = (name: string): string | undefined => [environment[name], file[name]].find((value) => value !== undefined && value !== '');
  const [key, debug, labels] = ['KEY', 'DEBUG', 'CLUSTER_LABELS_LOCATION'].map(variable);
  // Other programs are told something else by DEBUG, such as whose messages are wanted.
  const isDebug = /^(?:true|1|yes|on)$/i.test(debug ?? '');
  const isSet = set.some((assignment) => assignment.startsWith(`${labelsPath}=`));
  const assignments = [isDebug ? 'log.level=debug' : undefined, labels === undefined ? undefined : `${labelsPath}=${labels.includes('://') ? labels : resolve(workingDirectory, labels)}`];
  return {
    assignments: assignments.filter((assignment) => assignment !== undefined),
    keys: key === undefined ? {} : { [keyName]: { sha256: sha256OfKey(key), scopes: ['predict'] } },
    givers: labels === undefined || isSet ? {} : { [labelsPath]: 'CLUSTER_LABELS_LOCATION' },
  };
}

/** Of `.env` in the working directory; none where there is no such file. */
export async function variablesInFile(): Promise<Variables> {
  return parseEnv(await readFile('.env', 'utf8').catch(() => ''));
}
