// Idleness is asked of every partition that there is: features may have more of them than the other topics, or fewer.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openAccess } from '../src/open-access.ts';
import { loadConfiguration } from '../src/config/load.ts';
import { topics } from '../src/core/topics.ts';
import type { Runner } from '../src/pipeline/runner.ts';
import { createProcessContext } from '../src/process-context.ts';
import { untilIdle } from '../src/until-idle.ts';
import { withDirectory, writeConfiguration } from './service/program.ts';

test.each([[1, 3], [3, 1]])('with %i partitions, and %i of features', async (partitionCount, featuresPartitionCount) => {
  await withDirectory(async (directory) => {
    const text = `dataDirectory: data\ntransport: { kind: log, partitionCount: ${partitionCount}, featuresPartitionCount: ${featuresPartitionCount} }\n`;
    const file = await writeConfiguration(directory, text);
    const { configuration } = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [] });
    const access = await openAccess(configuration!, await createProcessContext(pino({ level: 'silent' })), 'owner-required');
    const decided: string[] = [];
    const drained: string[] = [];
    const transport = {
      ...access.transport,
      decided: async (place: Parameters<typeof access.transport.decided>[0]) => {
        await access.transport.decided(place);
        decided.push(`${place.topic} ${place.partition}`);
      },
    };
    const runner: Pick<Runner, 'drainedTo'> = {
      drainedTo: (ends) => {
        drained.push(...ends.map(({ topic, partition }) => `${topic} ${partition}`));
        return Promise.resolve();
      },
    };
    try {
      await untilIdle({ ...access, transport }, { extract: runner, cluster: runner });
    } finally {
      await access.close();
    }
    for (const [topic, count] of [[topics.features, featuresPartitionCount], [topics.labels, partitionCount]] as const) {
      const partitions = Array.from({ length: count }, (_, partition) => `${topic} ${partition}`);
      expect(decided.filter((place) => place.startsWith(`${topic} `)).sort()).toEqual(partitions);
    }
    expect(drained.filter((place) => place.startsWith(`${topics.features} `))).toHaveLength(featuresPartitionCount);
  });
});

test('what CLUSTER is about to append is waited for, and then what it has brought to features', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, 'dataDirectory: data\ntransport: { kind: log, partitionCount: 1 }\n');
    const { configuration } = await loadConfiguration({ file, environment: {}, assignments: [], tasks: [] });
    const access = await openAccess(configuration!, await createProcessContext(pino({ level: 'silent' })), 'owner-required');
    const course: string[] = [];
    const runner: Pick<Runner, 'drainedTo'> = {
      drainedTo: (ends) => {
        if (ends.some(({ topic }) => topic === topics.features)) course.push('drained');
        return Promise.resolve();
      },
    };
    const isAboutToAppend = (): boolean => {
      course.push('asked');
      return course.length < 6;
    };
    try {
      await untilIdle(access, { extract: runner, cluster: runner, isAboutToAppend });
    } finally {
      await access.close();
    }
    expect(course).toEqual(['drained', 'asked', 'drained', 'asked', 'drained', 'asked']);
  });
});
