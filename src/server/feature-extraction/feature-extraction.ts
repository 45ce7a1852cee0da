/** The feature extraction API, both generations, from one table of tasks. */
import type { FastifyError } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Api, FailureFormat } from '../http-port.ts';
import { schemaOf } from '../schemas.ts';
import type { TaskHost } from '../task-host.ts';
import { addFirstGeneration } from './first-generation.ts';
import { createJobs, type JobLimits } from './jobs.ts';
import type { TaskDefaults } from '../model-choice.ts';
import { addSecondGeneration } from './second-generation.ts';

export type FeatureExtractionOptions = { readonly host: TaskHost; readonly defaults: TaskDefaults; readonly jobs: JobLimits; readonly clock: Pick<Clock, 'elapsedMs'> };

const errorFormat: FailureFormat = {
  mediaType: 'application/json',
  schema: schemaOf(z.strictObject({ error: z.string(), code: z.string() })),
  write: (_request, reply, { status, detail, code }) => reply.code(status).type('application/json').send({ error: detail, code }),
};

/** As FastAPI does it. */
const place = z.strictObject({ loc: z.array(z.string()), msg: z.string(), type: z.string() });
const detailFormat: FailureFormat = {
  mediaType: 'application/json',
  schema: schemaOf(z.strictObject({ detail: z.union([z.string(), z.array(place)]), code: z.string().optional() })),
  ownStatuses: [422],
  write: (_request, reply, { status, detail, code, cause }) => {
    const { validation, validationContext = 'body' } = cause as Partial<FastifyError>;
    if (validation === undefined) return reply.code(status).type('application/json').send({ detail, code });
    const places = validation.map(({ instancePath, message = detail, keyword }) => ({ loc: [validationContext, ...instancePath.split('/').slice(1)], msg: message, type: keyword }));
    return reply.code(422).type('application/json').send({ detail: places });
  },
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
        setFailures(scope, errorFormat);
        addFirstGeneration(scope, host, defaults);
        done();
      });
      await server.register((scope, _options, done) => {
        setFailures(scope, detailFormat);
        addSecondGeneration(scope, host, jobs);
        done();
      });
    },
  };
}
