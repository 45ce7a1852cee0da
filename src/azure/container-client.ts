/**
 * A client of one container of Azure Blob Storage, or of what speaks its protocol (Azurite). Every call is one request: repeating is its caller's. What a
 * container answers is told by kind, in words without secrets: the errors of the client hold the request, and with it the signature of a SAS.
 */
import { ContainerClient, RestError, type StoragePipelineOptions } from '@azure/storage-blob';
import { LabelstreamError } from '../core/errors/error.ts';

export type ContainerCredentials =
  | { readonly connectionString: string; readonly container: string }
  /** Without a SAS token: the environment's credentials, a workload's or managed identity. */
  | { readonly containerUrl: string; readonly sasToken: string | undefined };

/** `credentials` also where they are malformed, or none were found; `unreachable`: it may be otherwise later. */
export type ContainerFailure = 'credentials' | 'missing' | 'unreachable' | 'refused';

/** Makes the error of whoever uses the container. */
export type FailureError = (failure: ContainerFailure, message: string) => LabelstreamError;

export type ContainerCall<Result> = (client: ContainerClient) => Promise<Result>;

export type RenewableContainer = {
  readonly containerName: string;
  /** Without credentials. */
  readonly url: URL;
  /** Calls again, once, with new credentials where there are any. */
  readonly call: <Result>(asked: ContainerCall<Result>) => Promise<Result>;
};

const pipelineOptions: StoragePipelineOptions = { retryOptions: { maxTries: 1 } };

/**
 * Asks nothing of the container yet. Rejects with `credentials` where they are malformed.
 * @param renewed asked when the container refuses the credentials: they may have been replaced, as tokens are that expire. What cannot be read is
 * taken for unchanged.
 */
export async function openContainerClient(options: ContainerCredentials, failureError: FailureError, renewed?: () => Promise<ContainerCredentials>): Promise<RenewableContainer> {
  let secret = secretOf(options);
  let client = await clientOf(options, failureError);
  const renew = async (refused: ContainerClient): Promise<ContainerClient | undefined> => {
    if (client !== refused) return client;
    const found = await renewed?.().catch(() => undefined);
    if (found !== undefined && secretOf(found) !== secret) [secret, client] = [secretOf(found), await clientOf(found, failureError)];
    // Another call may have done it meanwhile.
    return client === refused ? undefined : client;
  };
  const call = async <Result>(asked: ContainerCall<Result>): Promise<Result> => {
    const used = client;
    try {
      return await asked(used);
    } catch (error) {
      const { status } = containerAnswer(error);
      const next = status === 401 || status === 403 ? await renew(used) : undefined;
      if (next === undefined) throw error;
      return asked(next);
    }
  };
  const url = new URL(client.url);
  url.search = '';
  return { containerName: client.containerName, url, call };
}

function secretOf(options: ContainerCredentials): string | undefined {
  return 'connectionString' in options ? options.connectionString : options.sasToken;
}

async function clientOf(options: ContainerCredentials, failureError: FailureError): Promise<ContainerClient> {
  try {
    if ('connectionString' in options) return new ContainerClient(options.connectionString, options.container, pipelineOptions);
    if (options.sasToken !== undefined) return new ContainerClient(`${options.containerUrl}?${options.sasToken.replace(/^\?/, '')}`, undefined, pipelineOptions);
  } catch {
    // What the client says of it may repeat it.
    throw failureError('credentials', 'The connection string or the address of the blob container is malformed.');
  }
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new ContainerClient(options.containerUrl, new DefaultAzureCredential(), pipelineOptions);
}

export type ContainerAnswer = { readonly status: number | undefined; readonly code: string; readonly name: string; readonly message: string };

/** Total. */
export function containerAnswer(error: unknown): ContainerAnswer {
  if (!(error instanceof Error)) return { status: undefined, code: '', name: '', message: String(error) };
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
  // The client's own code is that of the body, which may be missing or no XML: then it says so instead.
  const inHeader = error instanceof RestError ? error.response?.headers.get('x-ms-error-code') : undefined;
  const code = inHeader ?? ('code' in error && typeof error.code === 'string' ? error.code : '');
  return { status, code, name: error.name, message: error.message };
}

const credentialErrors = new Set(['CredentialUnavailableError', 'AggregateAuthenticationError', 'AuthenticationRequiredError']);

/** What a call rejected with, as an error of ours; one that is already is given back. */
export function describedFailure(error: unknown, what: string, failureError: FailureError): LabelstreamError {
  if (error instanceof LabelstreamError) return error;
  const answer = containerAnswer(error);
  const { status, name } = answer;
  if (name === 'AbortError') return failureError('unreachable', `${what}: no answer in time`);
  const reason = `${what}: ${reasonOf(answer)}`;
  if (status === 401 || status === 403 || credentialErrors.has(name)) return failureError('credentials', reason);
  if (status === 404) return failureError('missing', reason);
  if (status === undefined || status >= 500 || status === 408 || status === 429) return failureError('unreachable', reason);
  // The token service says what the container would: who asks is not known.
  return failureError(name === 'AuthenticationError' ? 'credentials' : 'refused', reason);
}

/** The service's own words, of one line, without what a URL may hold of a signature. */
function reasonOf({ status, code, message }: ContainerAnswer): string {
  const line = message.split('\n', 1)[0] ?? '';
  const text = line.replaceAll(/\?\S*/g, '?...').replaceAll(/(sig|AccountKey|SharedAccessSignature)=[^&;\s]+/gi, '$1=...').slice(0, 300);
  return [status === undefined ? '' : `status ${status}`, code, text].filter((part) => part !== '').join(', ');
}
