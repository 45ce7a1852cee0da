/**
 * Snapshots in a container of Azure Blob Storage. Every call is one request: repeating is the state store's, by the policy of the pipeline.
 */
import { buffer } from 'node:stream/consumers';
import { containerAnswer, describedFailure, openContainerClient, type ContainerCall, type ContainerCredentials, type FailureError } from '../azure/container-client.ts';
import { stateError } from '../core/errors/state.ts';
import type { BlobContainer, StoredBlob } from './blob-container.ts';

const noOverwriting = { ifNoneMatch: '*' };

const failureCodes = {
  credentials: 'LS_STATE_CREDENTIALS',
  missing: 'LS_STATE_CONTAINER_MISSING',
  unreachable: 'LS_STATE_CONTAINER_UNREACHABLE',
  refused: 'LS_STATE_CONTAINER_REFUSED',
} as const;

const failureError: FailureError = (failure, message) => stateError(failureCodes[failure], message);

/**
 * Rejects with LS_STATE_CREDENTIALS where they are malformed. Asks nothing of the container yet.
 * @param renewed asked when the container refuses the credentials: they may have been replaced, as tokens are that expire. What cannot be read is
 * taken for unchanged.
 */
export async function openAzureContainer(options: ContainerCredentials, renewed?: () => Promise<ContainerCredentials>): Promise<BlobContainer> {
  const { containerName, call: calling } = await openContainerClient(options, failureError, renewed);
  const describe = (name: string): string => `${containerName}/${name}`;
  const request = <Result>(what: string, call: ContainerCall<Result>): Promise<Result> =>
    calling(call).catch((error: unknown) => {
      throw describedFailure(error, `${what} in the container ${containerName}`, failureError);
    });
  /** Undefined where the blob is not there any more, or is another one. */
  const unlessGone = async <Result>(what: string, call: ContainerCall<Result>): Promise<Result | undefined> => {
    try {
      return await calling(call);
    } catch (error) {
      const { status, code } = containerAnswer(error);
      if (status === 412 || (status === 404 && code !== 'ContainerNotFound')) return undefined;
      throw describedFailure(error, `${what} in the container ${containerName}`, failureError);
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
        const { status, code } = containerAnswer(error);
        // The blocks of an upload are gone once another one of that name was committed.
        if (status === 409 || status === 412 || code === 'InvalidBlockList') return 'exists';
        throw describedFailure(error, `writing ${name} in the container ${containerName}`, failureError);
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
