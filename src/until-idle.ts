/** Where topics end, and when the stages have come there. */
import { eventTopics, inputTopics, topics } from './core/topics.ts';
import type { DrainEnd, Runner } from './pipeline/runner.ts';
import type { Transport } from './pipeline/transport.ts';
import type { ProcessContext } from './process-context.ts';
import { untilBrokersAnswer } from './wait-for-brokers.ts';

type TopicEnds = { readonly transport: Pick<Transport, 'bounds' | 'decided'>; readonly partitionCountOf: (topic: string) => number };

type Waiting = { readonly context: Pick<ProcessContext, 'clock' | 'brokers'>; readonly closed: AbortSignal };

type IdleStages = { readonly [Stage in 'extract' | 'cluster']: Pick<Runner, 'drainedTo'> } & {
  /** CLUSTER is about to append something to `features` whose time has come, such as the swap of a generation that is being built. */
  readonly isAboutToAppend?: () => boolean;
};

const appendingCheckMs = 20;

/**
 * Resolves once the stages are idle as SEMANTICS.md, rule 28 says: inputs up to the ends seen now, then what was parked meanwhile, then
 * `features` to the end that EXTRACT left, with the generations that are pending then in force, and collections frozen or thawed that were to be; and
 * what came of it can be read. Rejects with the failure of a stage.
 */
export async function untilIdle(access: TopicEnds & Waiting, { extract, cluster, isAboutToAppend = () => false }: IdleStages): Promise<void> {
  const ask = <Result>(action: () => Promise<Result>): Promise<Result> => untilBrokersAnswer(access.context, access.closed, action);
  const ends = (names: readonly string[]): Promise<DrainEnd[]> =>
    ask(async () => {
      await decided(access, names.filter(isOwnTopic));
      return drainEndsOf(access, names);
    });
  await extract.drainedTo(await ends(inputTopics));
  await extract.drainedTo(await ends([topics.parked]));
  await cluster.drainedTo(await ends([topics.features]));
  while (isAboutToAppend() && !access.closed.aborted) {
    await access.context.clock.sleep(appendingCheckMs, access.closed);
    await cluster.drainedTo(await ends([topics.features]));
  }
  await ask(() => decided(access, [topics.labels, topics.clusterEvents, topics.deadLetters]));
}

/** Of event topics what can be read is the end: transactions that others have open there are theirs. */
const isOwnTopic = (name: string): boolean => !eventTopics.some((topic) => topic === name);

async function decided({ transport, partitionCountOf }: TopicEnds, names: readonly string[]): Promise<void> {
  await Promise.all(names.flatMap((topic) => Array.from({ length: partitionCountOf(topic) }, (_, partition) => transport.decided({ topic, partition }))));
}

/** Of a partition that holds nothing any more every place is its end: gaps may have followed what was handled last. */
export async function drainEndsOf(topicsOf: TopicEnds, names: readonly string[]): Promise<DrainEnd[]> {
  return (await endsOf(topicsOf, names)).map(({ isEmpty, ...end }) => (isEmpty ? { ...end, sequence: 0n } : end));
}

export function endsOf({ transport, partitionCountOf }: TopicEnds, names: readonly string[]): Promise<(DrainEnd & { readonly isEmpty: boolean })[]> {
  return Promise.all(
    names.flatMap((topic) =>
      Array.from({ length: partitionCountOf(topic) }, async (_, partition) => {
        const { start, end } = await transport.bounds({ topic, partition });
        return { topic, partition, sequence: end.sequence, isEmpty: start.position === end.position };
      }),
    ),
  );
}
