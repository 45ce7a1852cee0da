// A repartition that begins while `run` starts: one of the two sees the other, before anything goes into features.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { startStages } from '../src/compose.ts';
import { openAccess } from '../src/open-access.ts';
import { loadConfiguration } from '../src/config/load.ts';
import { topics } from '../src/core/topics.ts';
import type { ModelServer } from '../src/models/model-server.ts';
import type { Transport } from '../src/pipeline/transport.ts';
import { createProcessContext } from '../src/process-context.ts';
import { notePlan } from '../src/stages/cluster/repartition-plan.ts';
import { code } from './conformance/transport-harness.ts';
import { withDirectory, writeConfiguration } from './service/program.ts';

const never = new AbortController().signal;

test.each(['subscribe', 'bounds'] as const)('run does not start EXTRACT where a repartition was begun during its %s', async (step) => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, 'dataDirectory: data\n');
    const { configuration } = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [] });
    const access = await openAccess(configuration!, await createProcessContext(pino({ level: 'silent' })), 'owner-required');
    const subscribed: string[] = [];
    const note = async (at: typeof step): Promise<void> => {
      if (at !== step) return;
      const form = { replicationFactor: undefined, settings: {} };
      await notePlan(access.stateStore, `${configuration!.group}-cluster`, 'planned', { owner: 'another', formerIncarnation: 'former', foldedThrough: [-1n], partitionCount: 2, form });
    };
    const transport: Transport = {
      ...access.transport,
      subscribe: async (options) => {
        subscribed.push(options.group);
        await note('subscribe');
        return access.transport.subscribe(options);
      },
      bounds: async (partition) => {
        if (subscribed.length > 0 && partition.topic === topics.features) await note('bounds');
        return access.transport.bounds(partition);
      },
    };
    try {
      expect(await code(startStages({ ...access, transport }, {} as ModelServer, never))).toBe('LS_STATE_REPARTITION_PENDING');
      expect(subscribed).toEqual([`${configuration!.group}-cluster`]);
    } finally {
      await access.close();
    }
  });
});
