/**
 * A container of Azure Blob Storage, or of what speaks its protocol (Azurite). Every call is one request: repeating is the state store's, by the
 * policy of the pipeline. Errors are made anew from the status and the code of the answer: those of the client hold the request, and with
 * it the signature of a SAS.
 */
import { buffer } from 'node:stream/consumers';
import { ContainerClient, RestError, type StoragePipelineOptions } from '@azure/storage-blob';
import { LabelstreamError } from '../core/errors/error.ts';
import { stateError } from '../core/errors/state.ts';
import type { BlobContainer, StoredBlob } from './blob-container.ts';

export type AzureContainerOptions =
  | { readonly connectionString: string; readonly container: string }
  /** Without a SAS token: the environment's credentials, a workload's or managed identity. */
  | { readonly containerUrl: string; readonly sasToken: string | undefined };

const pipelineOptions: StoragePipelineOptions = { retryOptions: { maxTries: 1 } };
const noOverwriting = { ifNoneMatch: '*' };

/**
 * Rejects with LS_STATE_CREDENTIALS where they are malformed. Asks nothing of the container yet.
 * @param renewed asked when the container refuses the credentials: they may have been replaced, as tokens are that expire. What cannot be read is
 * taken for unchanged.
 */
export async function openAzureContainer(options: AzureContainerOptions, renewed?: () => Promise<AzureContainerOptions>): Promise<BlobContainer> {
  const { containerName, call: calling } = await renewableClient(options, renewed);
  const describe = (name: string): string => `${containerName}/${name}`;
  const request = <Result>(what: string, call: Call<Result>): Promise<Result> =>
    calling(call).catch((error: unknown) => {
      throw described(error, `${what} in the container ${containerName}`);
    });
  /** Undefined where the blob is not there any more, or is another one. */
  const unlessGone = async <Result>(what: string, call: Call<Result>): Promise<Result | undefined> => {
    try {
      return await calling(call);
    } catch (error) {
      const { status, code } = answerOf(error);
      if (status === 412 || (status === 404 && code !== 'ContainerNotFound')) return undefined;
      throw described(error, `${what} in the container ${containerName}`);
    }
  };

  return {
    describe,
    list: (prefix, abortSignal) =>
      request('listing', async (client) => {
        const blobs: StoredBlob[] = [];
        for await (const { name, properties } of client.listBlobsFlat({ prefix, abortSignal })) {
          blobs.push({ name, bytes: properties.contentLength ?? 0, etag: properties.etag });
        }
        return blobs;
      }),
    stage: (name, blockId, data, abortSignal) =>
      request(`writing ${name}`, async (client) => {
        await client.getBlockBlobClient(name).stageBlock(blockId, data, data.length, { abortSignal });
      }),
    commit: async (name, blockIds, abortSignal) => {
      try {
        await calling((client) => client.getBlockBlobClient(name).commitBlockList([...blockIds], { conditions: noOverwriting, abortSignal }));
        return 'committed';
      } catch (error) {
        const { status, code } = answerOf(error);
        // The blocks of an upload are gone once another one of that name was committed.
        if (status === 409 || status === 412 || code === 'InvalidBlockList') return 'exists';
        throw described(error, `writing ${name} in the container ${containerName}`);
      }
    },
    read: async ({ name, etag }, offset, length, abortSignal) => {
      const conditions = { ifMatch: etag };
      const bytes = await unlessGone(`reading ${name}`, async (client) => {
        const { readableStreamBody } = await client.getBlobClient(name).download(offset, length, { conditions, abortSignal, maxRetryRequests: 0 });
        return readableStreamBody === undefined ? Buffer.alloc(0) : buffer(readableStreamBody);
      });
      if (bytes === undefined) return 'gone';
      if (bytes.length === length) return bytes;
      throw stateError('LS_STATE_CONTAINER_UNREACHABLE', `Reading ${describe(name)} ended after ${bytes.length} of ${length} bytes.`);
    },
    remove: async ({ name, etag }, abortSignal) => {
      await unlessGone(`removing ${name}`, (client) => client.getBlobClient(name).delete({ conditions: { ifMatch: etag }, abortSignal }));
    },
  };
}

type Call<Result> = (client: ContainerClient) => Promise<Result>;

/** Calls again, once, with new credentials where there are any. */
async function renewableClient(options: AzureContainerOptions, renewed?: () => Promise<AzureContainerOptions>) {
  let secret = secretOf(options);
  let client = await clientOf(options);
  const renew = async (refused: ContainerClient): Promise<ContainerClient | undefined> => {
    if (client !== refused) return client;
    const found = await renewed?.().catch(() => undefined);
    if (found !== undefined && secretOf(found) !== secret) [secret, client] = [secretOf(found), await clientOf(found)];
    // Another call may have done it meanwhile.
    return client === refused ? undefined : client;
  };
  const call = async <Result>(asked: Call<Result>): Promise<Result> => {
    const used = client;
    try {
      return await asked(used);
    } catch (error) {
      const { status } = answerOf(error);
      const next = status === 401 || status === 403 ? await renew(used) : undefined;
      if (next === undefined) throw error;
      return asked(next);
    }
  };
  return { containerName: client.containerName, call };
}

function secretOf(options: AzureContainerOptions): string | undefined {
  return 'connectionString' in options ? options.connectionString : options.sasToken;
}

async function clientOf(options: AzureContainerOptions): Promise<ContainerClient> {
  try {
    if ('connectionString' in options) return new ContainerClient(options.connectionString, options.container, pipelineOptions);
    if (options.sasToken !== undefined) return new ContainerClient(`${options.containerUrl}?${options.sasToken.replace(/^\?/, '')}`, undefined, pipelineOptions);
  } catch {
    // What the client says of it may repeat it.
    throw stateError('LS_STATE_CREDENTIALS', 'The connection string or the address of the blob container is malformed.');
  }
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new ContainerClient(options.containerUrl, new DefaultAzureCredential(), pipelineOptions);
}

type Answer = { readonly status: number | undefined; readonly code: string; readonly name: string; readonly message: string };

/** Total. */
function answerOf(error: unknown): Answer {
  if (!(error instanceof Error)) return { status: undefined, code: '', name: '', message: String(error) };
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
  // The client's own code is that of the body, which may be missing or no XML: then it says so instead.
  const inHeader = error instanceof RestError ? error.response?.headers.get('x-ms-error-code') : undefined;
  const code = inHeader ?? ('code' in error && typeof error.code === 'string' ? error.code : '');
  return { status, code, name: error.name, message: error.message };
}

const credentialErrors = new Set(['CredentialUnavailableError', 'AggregateAuthenticationError', 'AuthenticationRequiredError']);

function described(error: unknown, what: string): LabelstreamError {
  if (error instanceof LabelstreamError) return error;
  const answer = answerOf(error);
  const { status, name } = answer;
  if (name === 'AbortError') return stateError('LS_STATE_CONTAINER_UNREACHABLE', `${what}: no answer in time`);
  const reason = `${what}: ${reasonOf(answer)}`;
  if (status === 401 || status === 403 || credentialErrors.has(name)) return stateError('LS_STATE_CREDENTIALS', reason);
  if (status === 404) return stateError('LS_STATE_CONTAINER_MISSING', reason);
  if (status === undefined || status >= 500 || status === 408 || status === 429) return stateError('LS_STATE_CONTAINER_UNREACHABLE', reason);
  // The token service says what the container would: who asks is not known.
  return stateError(name === 'AuthenticationError' ? 'LS_STATE_CREDENTIALS' : 'LS_STATE_CONTAINER_REFUSED', reason);
}

/** The service's own words, of one line, without what a URL may hold of a signature. */
function reasonOf({ status, code, message }: Answer): string {
  const line = message.split('\n', 1)[0] ?? '';
  const text = line.replaceAll(/\?\S*/g, '?...').replaceAll(/(sig|AccountKey|SharedAccessSignature)=[^&;\s]+/gi, '$1=...').slice(0, 300);
  return [status === undefined ? '' : `status ${status}`, code, text].filter((part) => part !== '').join(', ');
}
