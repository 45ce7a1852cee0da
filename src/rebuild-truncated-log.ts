/** `run --rebuild-from-truncated-log`: what a configuration makes of a features log that has lost its beginning. */
import { definitionOf, startModels } from './compose.ts';
import { openAccess, type Access } from './open-access.ts';
import type { Configuration } from './config/load.ts';
import { SettingsRefused } from './config/mistakes.ts';
import { refusedDefinition } from './configured-definitions.ts';
import { foldName } from './core/templates.ts';
import type { ProcessContext } from './process-context.ts';
import { clusterStageName } from './stages/cluster/stage-name.ts';
import type { CollectionName } from './stages/cluster/state.ts';
import { beginAnew, findTruncated, type TruncatedLogOptions, type TruncatedPartition } from './stages/cluster/truncated-log.ts';

/** Changes nothing. */
export function truncatedLogsOf(access: Access, signal: AbortSignal): Promise<readonly TruncatedPartition[]> {
  return findTruncated(optionsOf(access), signal);
}

/** Before the service starts: what it then finds, it restores as after any stop. Rejects with SettingsRefused, and with what `beginAnew` rejects with. */
export async function rebuildTruncatedLogs(configuration: Configuration, context: ProcessContext, signal: AbortSignal): Promise<void> {
  const access = await openAccess(configuration, context, 'owner-required');
  try {
    const truncated = await truncatedLogsOf(access, signal);
    if (truncated.length === 0) context.logger.info('no features log is truncated: nothing is rebuilt');
    else await rebuild(access, truncated);
  } finally {
    await access.close();
  }
}

async function rebuild(access: Access, truncated: readonly TruncatedPartition[]): Promise<void> {
  const { configuration, context } = access;
  const models = await startModels(access);
  try {
    const definitions = new Map(configuration.collections.map((collection) => [collection.name, definitionOf(collection, access, models)]));
    const refused = await beginAnew(optionsOf(access), truncated, definitions);
    if (refused.length > 0) throw new SettingsRefused(refused.map((error) => refusedDefinition(error, configuration)));
  } finally {
    await models.close();
  }
  for (const { partition, start, epoch, resets } of truncated) {
    const begun = { topic: partition.topic, partition: partition.partition, sequence: String(start.sequence), epoch, resets: resets.length };
    context.logger.warn(begun, 'a features log begins anew, without what it lost');
  }
}

function optionsOf({ transport, stateStore, codec, configuration }: Access): TruncatedLogOptions {
  const collections = configuration.collections.flatMap(({ name: family, names }): CollectionName[] => {
    // Names that a template gave are known from what was told of them alone.
    const own = names ?? (family.includes('${') ? [] : [family]);
    return own.flatMap((name) => foldName(name) ?? []).map((collection) => ({ family, collection }));
  });
  return { transport, stateStore, codec, group: `${configuration.group}-${clusterStageName}`, collections };
}
