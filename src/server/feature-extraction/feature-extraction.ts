/** The feature extraction API, both generations, from one table of tasks. */
import type { FastifyError } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import type { Api, FailureWriter } from '../http-port.ts';
import type { TaskHost } from '../task-host.ts';
import { addFirstGeneration } from './first-generation.ts';
import { createJobs, type JobLimits } from './jobs.ts';
import type { TaskDefaults } from './model-choice.ts';
import { addSecondGeneration } from './second-generation.ts';

export type FeatureExtractionOptions = { readonly host: TaskHost; readonly defaults: TaskDefaults; readonly jobs: JobLimits; readonly clock: Pick<Clock, 'elapsedMs'> };

const writeError: FailureWriter = (_request, reply, { status, detail, code }) => reply.code(status).type('application/json').send({ error: detail, code });

/** As FastAPI does it. */
const writeDetail: FailureWriter = (_request, reply, { status, detail, code, cause }) => {
  const { validation, validationContext = 'body' } = cause as Partial<FastifyError>;
  if (validation === undefined) return reply.code(status).type('application/json').send({ detail, code });
  const places = validation.map(({ instancePath, message = detail, keyword }) => ({ loc: [validationContext, ...instancePath.split('/').slice(1)], msg: message, type: keyword }));
  return reply.code(422).type('application/json').send({ detail: places });
};

export function featureExtraction({ host, defaults, jobs: limits, clock }: FeatureExtractionOptions): Api {
  return {
    name: 'feature extraction',
    description: 'Tasks by name, models by name: both generations of the API of feature extraction servers.',
    add: async (server, setFailures) => {
      const jobs = createJobs<Readonly<Record<string, unknown>> | readonly Readonly<Record<string, unknown>>[]>(limits, clock);
      server.addHook('onClose', (_server, done) => {
        jobs.close();
        done();
      });
      await server.register((scope, _options, done) => {
        setFailures(scope, writeError);
        addFirstGeneration(scope, host, defaults);
        done();
      });
      await server.register((scope, _options, done) => {
        setFailures(scope, writeDetail);
        addSecondGeneration(scope, host, jobs);
        done();
      });
    },
  };
}
