/** What operators say to CLUSTER while features gets another number of partitions, from a process beside the one that does it (SEMANTICS.md, rule 11). */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDirectoryStateStore } from '../../../src/pipeline/directory-state-store.ts';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';
import type { Transport } from '../../../src/pipeline/transport.ts';
import { appendControls } from '../../../src/stages/cluster/append-controls.ts';
import { forgetRecords } from '../../../src/stages/cluster/control-records.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import { openSegmentLogStore } from '../../../src/transports/log/segment-log-store.ts';
import { connectToOwner } from '../../../src/transports/log/socket-log-store.ts';
import { serveLog } from '../../../src/transports/log/socket-server.ts';
import { code } from '../../conformance/transport-harness.ts';
import { storeOptions, temporaryDirectory } from '../../transports/log/log-fixtures.ts';
import { codec } from './fold-harness.ts';

/** Two processes at one log: the second knows of features what it was told at its start. */
async function twoProcesses() {
  const directory = await temporaryDirectory();
  const path = join(directory, 'owner.sock');
  const store = await openSegmentLogStore(storeOptions(join(directory, 'log')));
  const owner = createLogTransport(store);
  await owner.createTopics([{ topic: 'features', partitionCount: 3 }]);
  const server = await serveLog(store, { path, keeps: true, onYield: () => undefined, closeMsMax: 1_000 });
  const other = createLogTransport((await connectToOwner(path, 1_000))!);
  onTestFinished(async () => {
    await other.close();
    await server.close('closed');
    await owner.close();
  });
  await other.describeTopic('features');
  const stateStore = createDirectoryStateStore({ directory: join(directory, 'state'), fileSystem: createNodeFileSystem() });
  const replace = async (partitionCount: number): Promise<void> => {
    const { incarnation } = await owner.describeTopic('features');
    await owner.replaceTopic({ topic: 'features', formerIncarnation: incarnation, partitionCount, form: await owner.topicForm('features') });
  };
  const forget = (append: Transport['append'] = other.append): Promise<unknown> =>
    appendControls({ transport: { ...other, append }, stateStore, group: 'g-cluster' }, (count) => forgetRecords(codec, count, ['test/i0'], []));
  /** By partition, how many records came in. */
  const counts = async (): Promise<readonly bigint[]> => {
    const { partitionCount } = await owner.describeTopic('features');
    const bounds = await Promise.all(Array.from({ length: partitionCount }, (_, partition) => owner.bounds({ topic: 'features', partition })));
    return bounds.map(({ start, end }) => end.sequence - start.sequence);
  };
  return { other, replace, forget, counts };
}

describe('what operators say to the clusters', () => {
  it('goes into every partition that there is, whatever was known of them before', async () => {
    const { replace, forget, counts } = await twoProcesses();
    await replace(5);
    await forget();
    expect(await counts()).toEqual([1n, 1n, 1n, 1n, 1n]);
  });

  it('is told to be said again where another process replaced the topic meanwhile', async () => {
    const { other, replace, forget } = await twoProcesses();
    const replacing: Transport['append'] = async (records) => {
      await other.append(records);
      await replace(5);
    };
    expect(await code(forget(replacing))).toBe('LS_STATE_REPARTITION_PENDING');
  });
});
