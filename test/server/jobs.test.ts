// What jobs hold in memory has a bound, however large each is: of results, and of what is still being worked on.
import { expect, test } from 'vitest';
import { createJobs, type Job } from '../../src/server/feature-extraction/jobs.ts';

const of = { kind: 'text-embedding', model: 'texts' };
const limits = { keptMsMax: 1_000, countMax: 100, bytesMax: 10_000 };
const clock = { elapsedMs: () => 0 };
/** Of about 4,000 bytes. */
const large = Array.from({ length: 500 }, (_, index) => index / 7);

const codeOf = (use: () => unknown): unknown => {
  try {
    use();
    return 'none';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

test('large results make the oldest go, and the last is always there', async () => {
  const jobs = createJobs<unknown>(limits, clock);
  const run = async (result: unknown): Promise<string> => {
    const { id } = jobs.start(of, {}, () => Promise.resolve(result));
    await expect.poll(() => jobs.find(id, of.kind).state).toBe('complete');
    return id;
  };
  const ids = [await run(large), await run(large), await run(large)];
  expect(ids.map((id) => codeOf(() => jobs.find(id, of.kind)))).toEqual(['LS_SERVER_JOB_UNKNOWN', 'none', 'none']);
  const huge = await run([large, large, large, large]);
  expect([...ids, huge].map((id) => codeOf(() => jobs.find(id, of.kind)))).toEqual(['LS_SERVER_JOB_UNKNOWN', 'LS_SERVER_JOB_UNKNOWN', 'LS_SERVER_JOB_UNKNOWN', 'none']);
  await run('small');
  expect(codeOf(() => jobs.find(huge, of.kind)), 'it is not the last any more').toBe('LS_SERVER_JOB_UNKNOWN');
});

test('no more is taken than jobs that have not ended may have been asked', async () => {
  const jobs = createJobs<string>(limits, clock);
  const ends: PromiseWithResolvers<string>[] = [];
  const start = (asked: unknown): Job<string> => jobs.start(of, asked, () => {
    ends.push(Promise.withResolvers<string>());
    return ends.at(-1)!.promise;
  });
  const first = start({ image: 'a'.repeat(20_000) });
  expect(codeOf(() => start({ text: 'short' })), 'one alone may be larger').toBe('LS_SERVER_JOBS_FULL');
  await expect.poll(() => ends.length).toBe(1);
  ends[0]!.resolve('done');
  await expect.poll(() => jobs.find(first.id, of.kind).state).toBe('complete');
  for (let count = 0; count < 2; count++) start({ text: large });
  expect(codeOf(() => start({ text: large }))).toBe('LS_SERVER_JOBS_FULL');
  jobs.close();
});
