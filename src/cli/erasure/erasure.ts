/** `erasure report`: where items that were forgotten or deleted still are, and until when (SEMANTICS.md, rule 21). */
import type { Command } from 'commander';
import type { Access } from '../../open-access.ts';
import { collected } from '../collect.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from '../context.ts';
import { withExamples } from '../help.ts';
import { requireItemIds } from '../item-ids.ts';
import type { Output } from '../output.ts';
import { findRecords, type RecordPlace } from './find-records.ts';
import { knownRetention, untilText, type KnownRetention } from '../../administration/known-retention.ts';
import { reportLines, reportObject, type ItemReport, type SnapshotPlace } from './report-text.ts';

type ReportOptions = ConfigurationOptions & { readonly item: readonly string[]; readonly json?: boolean };

export function addErasureCommand(program: Command, commandLine: CommandLine): void {
  const erasure = program
    .command('erasure')
    .summary('show what is left of forgotten items')
    .description('show what is left of items that were forgotten or deleted');
  withExamples(erasure, 'labelstream erasure report --item news/17 -c examples/news.yaml');
  const command = withConfigurationOptions(erasure.command('report'))
    .requiredOption('--item <source/id>', 'the item; may be repeated', collected)
    .summary('say where an item still is, and until when')
    .description(
      'say of each item where its input bytes and vectors still are: live in a collection, in which partitions of which topics and up to which sequence, in dead letters and in what was ' +
        'parked, redriven or replayed, in which snapshots; until when each of them is kept; and whether a tombstone keeps its earlier versions from coming back. ' +
        'It reads the whole log and every snapshot, beside a live `run` or without one, and writes nothing',
    )
    .option('--json', 'one JSON object per item')
    .action(async (options: ReportOptions) => {
      requireItemIds(options.item);
      await withAccess(options, commandLine, (access) => report(access, [...new Set(options.item)], outputOf(commandLine, options.json), commandLine.signal));
    });
  withExamples(
    command,
    'labelstream erasure report --item news/17 --item news/18 -c examples/news.yaml',
    'labelstream erasure report --item news/17 --json -c examples/news.yaml',
  );
}

async function report(access: Access, items: readonly string[], output: Output, signal: AbortSignal): Promise<void> {
  const { clustersOf, strayStateOf } = await import('../../clusters-of.ts');
  const view = await clustersOf(access, signal);
  const standing = items.map((item) => ({ item, live: view.item(item).value, tombstones: view.tombstones(item).value }));
  const records = await withRetention(access, await findRecords(access, new Set(items), signal));
  const snapshots = await snapshotsHolding(access, items, signal);
  const strays = await strayStateOf(access);
  for (const known of standing) {
    const found: ItemReport = {
      ...known,
      records: records.filter(({ item }) => item === known.item),
      snapshots: snapshots.filter(({ items: held }) => held === undefined || held.has(known.item)),
      strays,
    };
    if (output.json) output.object(reportObject(found));
    else for (const line of reportLines(found)) output.line(line);
  }
  output.note(notLookedInto);
}

const notLookedInto =
  'looked into: the records of the log that a reader sees, and the state store. Not into backups, what consumers keep, files that media events refer to, records of aborted transactions, ' +
  'or what a disk, a broker or a storage account keeps of what was removed';

function withRetention(access: Access, places: readonly RecordPlace[]): Promise<ItemReport['records']> {
  const retentions = new Map<string, Promise<KnownRetention>>();
  return Promise.all(
    places.map(async (place) => {
      const retention = retentions.get(place.topic) ?? knownRetention(access, place.topic);
      retentions.set(place.topic, retention);
      return { ...place, until: untilText(await retention, place.lastAppendTimeMs) };
    }),
  );
}

async function snapshotsHolding(access: Access, items: readonly string[], signal: AbortSignal): Promise<readonly SnapshotPlace[]> {
  const { snapshotsOf } = await import('../../clusters-of.ts');
  const places: SnapshotPlace[] = [];
  for await (const { view, ...snapshot } of snapshotsOf(access, signal)) {
    const held = view === undefined ? undefined : new Set(items.filter((item) => view.item(item).length > 0));
    if (held === undefined || held.size > 0) places.push({ ...snapshot, items: held });
  }
  return places;
}
