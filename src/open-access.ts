/** What every command works on that reads or writes the log: opened as a configuration says, without anything that processes. */
import { openCodec, type Codec } from './codec/codec.ts';
import type { Configuration } from './config/load.ts';
import { openRegistry } from './open-registry.ts';
import { openStateStore } from './open-state-store.ts';
import { openTransport } from './open-transport.ts';
import { createNodeFileSystem } from './pipeline/node-file-system.ts';
import type { StateStore } from './pipeline/state-store.ts';
import type { Transport } from './pipeline/transport.ts';
import { partitionCounts, prepareTopics } from './prepare-topics.ts';
import type { AccessRole, ProcessContext } from './process-context.ts';
import { recordsNeededFrom } from './records-needed.ts';
import { clusterGroupOf } from './stage-groups.ts';
import { requireNoPlan } from './stages/cluster/repartition-plan.ts';

/** The log and the state of a configuration, without anything that processes. */
export type Access = {
  readonly context: ProcessContext;
  readonly configuration: Configuration;
  readonly codec: Codec;
  readonly transport: Transport;
  readonly stateStore: StateStore;
  readonly partitionCountOf: (topic: string) => number;
  readonly close: () => Promise<void>;
  /** Aborts with `close`. */
  readonly closed: AbortSignal;
};

export type AccessOptions = {
  /** Ends the opening, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whether an embedded log that there is not is refused (LS_LOG_MISSING); left out: it is made. */
  readonly logMustExist?: boolean;
};

export async function openAccess(configuration: Configuration, context: ProcessContext, role: AccessRole, { signal, logMustExist = false }: AccessOptions = {}): Promise<Access> {
  const fileSystem = createNodeFileSystem();
  const partitionCountOf = partitionCounts(configuration);
  const closing = new AbortController();
  const registry = await openRegistry(configuration, context, { patience: role === 'any' ? 'once' : 'unbounded', signal: closing.signal });
  const codec = await openCodec({ schemaDirectories: configuration.schemaDirectories, ...(registry === undefined ? {} : { registry }) });
  const stateStore = await openStateStore(configuration, context, fileSystem, closing.signal);
  const opened = Promise.withResolvers<Transport>();
  const neededFrom = recordsNeededFrom(clusterGroupOf(configuration), context.clock, stateStore, opened.promise);
  const transport = await openTransport(configuration, context, { fileSystem, role, logMustExist, neededFrom, signal });
  opened.resolve(transport);
  const close = (): Promise<void> => {
    closing.abort();
    return transport.close();
  };
  const stopOpening = (): void => void close();
  signal?.addEventListener('abort', stopOpening, { once: true });
  try {
    if (role === 'processing' || role === 'owner-required') await requireNoPlan(stateStore, clusterGroupOf(configuration));
    await prepareTopics(transport, configuration, context, role);
  } catch (error) {
    await close();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stopOpening);
  }
  return { context, configuration, codec, transport, stateStore, partitionCountOf, close, closed: closing.signal };
}
