/** A hub on the loopback, by the paths of the real one: lists of files, files in part, redirects to where large ones lie. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export const commit = '0123456789abcdef0123456789abcdef01234567';
export const otherCommit = '89abcdef0123456789abcdef0123456789abcdef';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const gitSha1 = (bytes: Uint8Array): string => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

export type RepositoryFiles = Readonly<Record<string, Buffer>>;

export const smallRepository: RepositoryFiles = {
  'config.json': Buffer.from('{"model_type":"bert"}'),
  'README.md': Buffer.from('---\nlicense: apache-2.0\n---\n# A model\n'),
  '.gitattributes': Buffer.from('*.onnx filter=lfs'),
  'pytorch_model.bin': Buffer.from('not wanted'),
  'onnx/model.onnx': Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * 7) % 251)),
  'onnx/model_quantized.onnx': Buffer.from('smaller'),
};

export type HubOptions = {
  readonly files?: RepositoryFiles;
  readonly repository?: string;
  /** Answers instead of the hub, and gives something then. */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => unknown;
  /** Changes the list before it is sent. */
  readonly listed?: (list: { sha: string; siblings: Record<string, unknown>[] }) => unknown;
  /** How a file is answered; without it as the hub does, ranges and all. */
  readonly ranges?: 'honoured' | 'ignored';
  readonly etag?: (path: string, bytes: Buffer) => string | undefined;
};

export type Hub = { readonly origin: string; readonly requests: IncomingMessage[]; readonly paths: () => string[]; readonly close: () => Promise<void> };

export async function startServer(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Hub> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, paths: () => requests.map(({ url }) => url ?? ''), close };
}

export function startHub({ files = smallRepository, repository = 'acme/encoder', before = () => false, listed = (list) => list, ranges = 'honoured', etag = (_, bytes) => `"${sha256(bytes)}"` }: HubOptions = {}): Promise<Hub> {
  return startServer((request, response) => {
    if (Boolean(before(request, response))) return;
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://hub').pathname);
    if ([commit, 'main'].some((revision) => path === `/api/models/${repository}/revision/${revision}`)) {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(listed(listOf(files))));
      return;
    }
    const name = path.startsWith(`/${repository}/resolve/${commit}/`) ? path.slice(`/${repository}/resolve/${commit}/`.length) : '';
    const bytes = files[name];
    if (bytes === undefined) response.writeHead(404).end();
    else answerFile(request, response, bytes, ranges, etag(name, bytes));
  });
}

function listOf(files: RepositoryFiles): { sha: string; siblings: Record<string, unknown>[] } {
  const siblings = Object.entries(files).map(([rfilename, bytes]) => {
    const isLarge = rfilename.endsWith('.onnx') || rfilename.endsWith('.bin');
    return { rfilename, size: bytes.length, blobId: isLarge ? 'f'.repeat(40) : gitSha1(bytes), ...(isLarge ? { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}) };
  });
  return { sha: commit, siblings };
}

export function answerFile(request: IncomingMessage, response: ServerResponse, bytes: Buffer, ranges: 'honoured' | 'ignored', etag: string | undefined): void {
  const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
  if (etag !== undefined) response.setHeader('etag', etag);
  const isSame = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  if (first === undefined || ranges === 'ignored' || !isSame) {
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    return;
  }
  const rest = bytes.subarray(Number(first));
  if (rest.length === 0) response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
  else response.writeHead(206, { 'content-length': rest.length, 'content-range': `bytes ${first}-${bytes.length - 1}/${bytes.length}` }).end(rest);
}
