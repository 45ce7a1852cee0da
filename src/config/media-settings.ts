/** The settings of media events: what they may hold or refer to, and how that is fetched; a part of settings.ts. */
import { z } from 'zod';
import { container } from './container-settings.ts';

const positiveInteger = z.number().int().positive();
const name = z.string().regex(/^[a-z0-9._-]{1,100}$/, 'a name is 1 to 100 of a-z 0-9 . _ -');
const originPattern = /^https?:\/\/(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(:\d{1,5})?$/;

const fetchSettings = z.strictObject({
  requestsMax: positiveInteger.max(1000).default(16).describe('References being fetched at once, by this process.'),
  requestsPerHostMax: positiveInteger.max(1000).default(4).describe('Of them from one host, or from one container.'),
  totalMsMax: positiveInteger.max(3_600_000).default(60_000).describe('Longest time of one attempt, redirects included.'),
  idleMsMax: positiveInteger.max(3_600_000).default(10_000).describe('Longest time of an attempt in which nothing arrives: until the connection, until the answer, between its parts.'),
  redirectsMax: z.number().int().min(0).max(20).default(3).describe('Redirects that are followed; each has to lead to one of `media.origins` again. 0: none.'),
  retryMsMax: z
    .number()
    .int()
    .min(0)
    .max(86_400_000)
    .default(60_000)
    .describe('How long a reference whose host fails is tried again, from its first failure on, before it becomes a dead letter. Containers of `media.containers` are waited for without bound.'),
  allowPrivateAddresses: z
    .array(z.string().regex(/^[0-9a-fA-F.:]+(\/\d{1,3})?$/, 'an address or a network, such as 10.1.0.0/16'))
    .default([])
    .describe('Addresses and networks beyond the public ones at which hosts of `media.origins` may be, such as 10.1.0.0/16. Metadata services of clouds are never asked.'),
  caFile: z.string().min(1).optional().describe("The certificate authorities of the hosts, PEM, instead of those that Node knows. Relative to the configuration file."),
});

export const media = z.strictObject({
  directories: z
    .array(z.string().min(1))
    .default([])
    .describe('Directories below which a media event may refer to files (`file:` URIs); whoever may publish chooses among them. None: no files are read. Relative to the configuration file.'),
  origins: z
    .array(z.string().regex(originPattern, 'an origin in lower case, such as https://images.example.com, https://images.example.com:8443 or https://*.example.com'))
    .max(1000)
    .default([])
    .describe(
      'Hosts from which a media event may have its content fetched, each with scheme and, beside the usual one, port: `https://images.example.com`; `https://*.example.com` is every host below that name. Whoever may publish chooses among them. None: nothing is fetched. `http:` only where it is said so.',
    ),
  containers: z
    .record(name, container)
    .default({})
    .describe('Containers of Azure Blob Storage, by names of your choice, from which a media event may have its content read: by the URI of a blob below the container, without a query.'),
  fetch: fetchSettings.prefault({}).describe('How references to hosts and containers are fetched.'),
  bytesMax: positiveInteger.max(1024 * 1024 * 1024).default(16 * 1024 * 1024).describe('Largest content of a media event, inline or by reference.'),
});
