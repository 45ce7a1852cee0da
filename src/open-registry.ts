/** The schema registry that a configuration names, and the secrets that it is asked with. */
import { readFile } from 'node:fs/promises';
import type { CodecRegistryOptions } from './codec/registry/codec-registry.ts';
import type { RegistryCredentials } from './codec/registry/registry-request.ts';
import type { Configuration } from './config/load.ts';
import { registryError } from './core/errors/registry.ts';
import { errorFields } from './observation/log-observer.ts';
import type { ProcessContext } from './process-context.ts';

type RegistrySettings = NonNullable<Configuration['registry']>;

type Waiting = { readonly patience: 'unbounded' | 'once'; readonly signal: AbortSignal };

/**
 * Undefined where none is configured.
 * @param patience `once` for commands that people wait for: an outage is told, not waited for.
 * @param signal ends every wait.
 */
export async function openRegistry({ registry: settings, transport }: Configuration, { clock, logger, metrics, readiness }: ProcessContext, { patience, signal }: Waiting): Promise<CodecRegistryOptions | undefined> {
  if (settings === undefined) return undefined;
  const { createSchemaRegistry } = await import('./codec/registry/schema-registry.ts');
  const { urls, requestTimeoutMs, ...rest } = settings;
  const registry = createSchemaRegistry({
    urls,
    requestTimeoutMs,
    patience,
    clock,
    random: Math.random,
    signal,
    readCredentials: () => readRegistryCredentials(settings),
    observer: {
      unavailable: (error, failures, retryInMs) => {
        metrics.schemaRegistry('unavailable');
        readiness.waiting('schema registry', errorFields(error)['error']);
        const retry = patience === 'once' ? {} : { retryInMs: Math.round(retryInMs) };
        logger.error({ ...errorFields(error), failures, ...retry }, patience === 'once' ? 'the schema registry cannot be asked' : 'waiting for the schema registry');
      },
      available: () => {
        metrics.schemaRegistry('available');
        readiness.waiting('schema registry', undefined);
        logger.warn('the schema registry answers again');
      },
      abandoned: () => {
        metrics.schemaRegistry('available');
        readiness.waiting('schema registry', undefined);
      },
    },
  });
  return { ...rest, registry, clock, topicPrefix: transport.kind === 'kafka' ? transport.namePrefix : '' };
}

/** Rejects with LS_REGISTRY_CREDENTIALS_FILE. */
export async function readRegistryCredentials({ auth: { basic, bearer }, tls }: RegistrySettings): Promise<RegistryCredentials> {
  const [password, token, ca, cert, key] = await Promise.all([
    basic?.password ?? textOf('auth.basic.passwordFile', basic?.passwordFile),
    bearer?.token ?? textOf('auth.bearer.tokenFile', bearer?.tokenFile),
    textOf('tls.caFile', tls.caFile),
    textOf('tls.certificateFile', tls.certificateFile),
    textOf('tls.keyFile', tls.keyFile),
  ]);
  const credential =
    basic !== undefined && password !== undefined ? Buffer.from(`${basic.username}:${password}`).toString('base64') : bearer === undefined ? undefined : token;
  return {
    secrets: [credential, password, token].filter((secret) => secret !== undefined),
    ...(credential === undefined ? {} : { authorization: `${basic === undefined ? 'Bearer' : 'Basic'} ${credential}` }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

async function textOf(setting: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw registryError('LS_REGISTRY_CREDENTIALS_FILE', `registry.${setting}: ${(error as Error).message}`, { setting: `registry.${setting}` }, { cause: error });
  });
  if (text.trim() === '') throw registryError('LS_REGISTRY_CREDENTIALS_FILE', `registry.${setting}: ${file} is empty`, { setting: `registry.${setting}` });
  return text.trim();
}
