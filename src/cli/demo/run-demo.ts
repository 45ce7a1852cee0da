/** What `demo` runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Configuration } from '../../config/load.ts';
import { itemIdOf } from '../../core/ids.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { noHeaders, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { openAccess, type Access } from '../../open-access.ts';
import { rejectionOf } from '../../pipeline/abort.ts';
import { topicExpectations } from '../../prepare-topics.ts';
import { createProcessContext, type ProcessContext } from '../../process-context.ts';
import { startService, type Service } from '../../service.ts';
import { progressOf } from '../progress.ts';
import type { CommandLine } from '../context.ts';
import { createLogger } from '../logger.ts';
import type { Output } from '../output.ts';
import { demoConfiguration } from './demo-configuration.ts';
import { demoRecords, demoTexts } from './demo-data.ts';
import { demoImages } from './demo-images.ts';
import { countOf, outcomeOf } from './demo-outcome.ts';
import { summaryLines, type DemoSummary } from './demo-summary.ts';

const textCount = 480;
const recordCount = 240;
const seed = 20;
const batchSize = 60;

export async function tellDemo(output: Output, commandLine: CommandLine, brokers: string | undefined): Promise<void> {
  const summary = await runDemo(output, commandLine, brokers);
  if (output.json) output.object(summary);
  else for (const lines of summaryLines(summary)) output.lines(lines);
}

async function runDemo(output: Output, commandLine: CommandLine, brokers: string | undefined): Promise<DemoSummary> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-demo-'));
  try {
    const configuration = demoConfiguration(directory, brokers);
    const context = await createProcessContext(await createLogger(configuration.log.level, commandLine));
    if (brokers !== undefined) await createTopicsOf(configuration, context);
    const service = await startService(configuration, context, commandLine.signal);
    try {
      return await throughPipeline(service, output, commandLine.signal);
    } finally {
      await service.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function createTopicsOf(configuration: Configuration, context: ProcessContext): Promise<void> {
  const { transport, close } = await openAccess(configuration, context, 'any');
  await transport.createTopics(topicExpectations(configuration).topics).finally(close);
}

async function throughPipeline(service: Service, output: Output, signal: AbortSignal): Promise<DemoSummary> {
  const { access } = service;
  const { elapsedMs } = access.context.clock;
  const records = await demoInput(access);
  const startMs = elapsedMs();
  const progress = await showProgress(access, records.length, output);
  try {
    for (let begin = 0; begin < records.length; begin += batchSize) {
      signal.throwIfAborted();
      await access.transport.append(records.slice(begin, begin + batchSize));
    }
    await Promise.race([service.untilIdle(), failure(service), rejectionOf(signal)]);
  } finally {
    await progress.stop();
  }
  const seconds = (elapsedMs() - startMs) / 1000;
  const longestStallMs = service.longestStallMs();
  return { ...(await outcomeOf(access, signal)), eventsIn: records.length, seconds, eventsPerSecond: records.length / seconds, longestStallMs };
}

function failure(service: Service): Promise<never> {
  return service.failed.then((error) => Promise.reject(error));
}

/** Texts, records and images in turns, as a stream would bring them. */
async function demoInput({ codec, partitionCountOf }: Access): Promise<readonly OutputRecord[]> {
  const record = (topic: string, itemId: string, value: Buffer): OutputRecord => ({
    topic, partition: partitionForKey(itemId, partitionCountOf(topic)), key: Buffer.from(itemId), value, headers: noHeaders,
  });
  const texts = demoTexts(textCount, seed).map((event) => record(topics.text, itemIdOf(event), codec.encode('TextEvent', event)));
  const notes = demoRecords(recordCount, seed).map((event) => record(topics.record, itemIdOf(event), codec.encode('RecordEvent', event)));
  const images = (await demoImages()).map((event) => record(topics.media, itemIdOf(event), codec.encode('MediaEvent', event)));
  const share = (records: readonly OutputRecord[], index: number): readonly OutputRecord[] =>
    records.slice(Math.floor((index * records.length) / textCount), Math.floor(((index + 1) * records.length) / textCount));
  return texts.flatMap((text, index) => [text, ...share(notes, index), ...share(images, index)]);
}

/** A bar for a person; a line at the start and at the end otherwise. */
async function showProgress(access: Access, total: number, output: Output): Promise<{ readonly stop: () => Promise<void> }> {
  if (!output.terminal) {
    output.note(`publishing ${total} events`);
    return { stop: () => Promise.resolve() };
  }
  const progress = await progressOf(output, 'labelling', total);
  const show = (done: number): void => progress.update(done, `${done} of ${total} results`);
  const stopping = new AbortController();
  const update = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      show(Math.min(total, (await countOf(access, topics.labels)) + (await countOf(access, topics.deadLetters))));
      await access.context.clock.sleep(50, stopping.signal);
    }
  };
  const updating = update();
  return {
    stop: async () => {
      stopping.abort();
      await updating;
      show(total);
      progress.stop();
    },
  };
}
