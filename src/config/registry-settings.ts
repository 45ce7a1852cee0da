/** The settings of the schema registry; a part of settings.ts. */
import { z } from 'zod';

const positiveInteger = z.number().int().positive();
const file = z.string().min(1);

export const schemaRegistry = z.strictObject({
  urls: z
    .array(z.string().regex(/^https?:\/\/[^\s/@?#]+(\/[^\s@?#]*)?$/, 'an http: or https: address without user, query and fragment'))
    .min(1)
    .max(16)
    .describe('Where the registry answers, with the path before /schemas and /subjects if there is one; several are asked in turn, and all have to answer before something is not there.'),
  auth: z
    .strictObject({
      basic: z
        .strictObject({
          username: z.string().regex(/^[^:]+$/, 'a user name without colon').describe('The user.'),
          password: z.string().min(1).optional().meta({ writeOnly: true }).describe('The password. Better in the environment or in a file.'),
          passwordFile: file.optional().describe('A file that holds the password, read for every request. Relative to the configuration file.'),
        })
        .optional()
        .describe('User and password.'),
      bearer: z
        .strictObject({
          token: z.string().min(1).optional().meta({ writeOnly: true }).describe('The token. Better in the environment or in a file.'),
          tokenFile: file.optional().describe('A file that holds the token, read for every request. Relative to the configuration file.'),
        })
        .optional()
        .describe('A token.'),
    })
    .prefault({})
    .describe('Who this client is.'),
  tls: z
    .strictObject({
      caFile: file.optional().describe("The certificate authority of the registry, PEM; by default the system's. Relative to the configuration file."),
      certificateFile: file.optional().describe('The certificate of this client, PEM, for mutual TLS.'),
      keyFile: file.optional().describe('Its key, PEM.'),
    })
    .prefault({})
    .describe('For https: addresses.'),
  subjectStrategy: z
    .enum(['topic', 'record', 'topic-record'])
    .default('topic-record')
    .describe('Subject of a schema that is registered or looked for: TOPIC-value, its full name, or TOPIC-full name. `topic` does not do where `features` is concerned.'),
  encode: z.enum(['single-object', 'confluent']).default('single-object').describe("What is written: Avro single-objects, or Confluent's format. Both are read."),
  registerSchemas: z.boolean().default(false).describe('Whether the schemas of this program are registered at start-up.'),
  requestTimeoutMs: positiveInteger.max(600_000).default(10_000).describe('A request without an answer has failed after so long.'),
  cacheSchemasMax: positiveInteger.min(16).max(100_000).default(1000).describe("Writers' schemas kept in memory, and as many ids that are of no use."),
  negativeCacheMs: positiveInteger.max(86_400_000).default(60_000).describe('An id that the registry does not have is asked for again after so long.'),
});
