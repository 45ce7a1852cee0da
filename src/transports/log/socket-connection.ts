/**
 * One client of the owner. Requests start in the order they came (so a client's commits keep their order), a bounded number at a time, and
 * none while the client is slow to take its answers: what is not started stays in the socket, which is back-pressure. Waiting for records
 * is free and does not count. Anything that is not the protocol ends this connection and nothing else.
 */
import type { Socket } from 'node:net';
import { LabelstreamError } from '../../core/errors/error.ts';
import { logError } from '../../core/errors/log.ts';
import { createFrameReader, encodeFrame, type Frame } from './frames.ts';
import type { LogStore, LogTransaction } from './log-store.ts';
import {
  packStored, parsed, protocolVersion, requestSchema, unpackAppends, wireCheckpoint, wireError, wireSequence,
  type Goodbye, type Request, type RequestOf,
} from './socket-protocol.ts';

export type ServedConnection = {
  readonly leave: (goodbye: Goodbye) => void;
  readonly destroy: () => void;
  /** Resolves when the connection is closed and none of its calls is running. */
  readonly ended: Promise<void>;
};

export type ConnectionOptions = { readonly keeps: boolean; readonly onYield: () => void };

/** Answers in memory are at most this many times `readLimits.bytes`. */
const runningMax = 32;
const waitsMax = 4_096;
const helloMsMax = 5_000;

type Result = { readonly result: unknown; readonly body?: readonly Buffer[] };
type Waiting = { readonly start: (request: RequestOf<'wait'>) => Promise<Result>; readonly cancel: (id: number) => void; readonly end: () => void };

export function serveConnection(socket: Socket, store: LogStore, options: ConnectionOptions): ServedConnection {
  const reader = createFrameReader();
  const queue: Frame[] = [];
  const running = new Set<Promise<void>>();
  const waiting = waitingFor(store);
  let greeted = false;

  const { send, answer } = answering(socket, store, waiting, options);

  const start = (frame: Frame): void => {
    const request = parsed(requestSchema, frame.header);
    greeted ||= request.op === 'hello' && request.protocol === protocolVersion;
    if (!greeted && request.op !== 'hello') throw logError('LS_LOG_PROTOCOL_BROKEN', 'The first request was not hello.');
    if (greeted) socket.setTimeout(0);
    if (request.op === 'cancel') {
      waiting.cancel(request.id);
      return;
    }
    const answered = answer(request, frame.body);
    if (request.op === 'wait') return;
    running.add(answered);
    void answered.then(() => {
      running.delete(answered);
      advance();
    });
  };
  const advance = (): void => {
    try {
      while (running.size < runningMax && !socket.writableNeedDrain && !socket.destroyed) {
        const frame = queue.shift();
        if (frame === undefined) break;
        start(frame);
      }
    } catch {
      socket.destroy();
    }
    if (queue.length > 0) socket.pause();
    else socket.resume();
  };

  // A client that says nothing holds one of few places.
  socket.setTimeout(helloMsMax, () => socket.destroy());
  socket.on('data', (chunk) => {
    try {
      queue.push(...reader.push(chunk));
    } catch {
      socket.destroy();
    }
    advance();
  });
  socket.on('drain', advance);
  const ended = closedOf(socket).then(async () => {
    queue.length = 0;
    waiting.end();
    await Promise.all(running);
  });
  return {
    leave: (goodbye) => {
      send({ goodbye });
      waiting.end();
    },
    destroy: () => socket.destroy(),
    ended,
  };
}

type Answering = {
  readonly send: (header: object, body?: readonly Buffer[]) => void;
  /** Never rejects. */
  readonly answer: (request: Request, body: Buffer) => Promise<void>;
};

function answering(socket: Socket, store: LogStore, waiting: Waiting, options: ConnectionOptions): Answering {
  const send: Answering['send'] = (header, body) => {
    if (socket.writable) socket.write(encodeFrame(header, body));
  };
  return {
    send,
    answer: async (request, body) => {
      try {
        const { result, body: answerBody } = await perform(store, waiting, options, request, body);
        send({ id: request.id, result }, answerBody);
      } catch (error) {
        send({ id: request.id, error: wireError(error) });
        // The two sides have nothing more to say to each other.
        if (request.op === 'hello' || isBroken(error)) socket.end();
      }
    },
  };
}

function isBroken(error: unknown): boolean {
  return error instanceof LabelstreamError && error.code === 'LS_LOG_PROTOCOL_BROKEN';
}

function closedOf(socket: Socket): Promise<void> {
  // Of an error only the close that follows it matters.
  socket.on('error', () => undefined);
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

/** Waits end without records when the owner leaves: the client asks the next owner. */
function waitingFor(store: LogStore): Waiting {
  const waits = new Map<number, AbortController>();
  let ended = false;
  return {
    start: async ({ id, topic, partition, end }) => {
      if (waits.size >= waitsMax) throw logError('LS_LOG_PROTOCOL_BROKEN', `One client waits for ${waits.size} partitions at once.`);
      const controller = new AbortController();
      waits.set(id, controller);
      if (ended) controller.abort();
      try {
        await store.waitForRecords({ topic, partition }, end, controller.signal);
      } finally {
        waits.delete(id);
      }
      return { result: null };
    },
    cancel: (id) => waits.get(id)?.abort(),
    end: () => {
      ended = true;
      for (const controller of waits.values()) controller.abort();
    },
  };
}

async function perform(store: LogStore, waiting: Waiting, options: ConnectionOptions, request: Request, body: Buffer): Promise<Result> {
  switch (request.op) {
    case 'hello':
      return hello(request, options);
    case 'createTopic':
      return { result: await store.createTopic(request.topic, request.partitionCount) };
    case 'topics':
      return { result: await store.topics() };
    case 'commit':
      await store.commit(transactionOf(request, body));
      return { result: null };
    case 'read': {
      const records = await store.read(request, request.from, { records: request.records, bytes: request.bytes });
      const content: Buffer[] = [];
      return { result: packStored(records, content), body: content };
    }
    case 'bounds': {
      const { startSequence, endSequence } = await store.bounds(request);
      return { result: { startSequence: wireSequence(startSequence), endSequence: wireSequence(endSequence) } };
    }
    case 'checkpoint': {
      const checkpoint = await store.checkpoint(request.group, request);
      return { result: checkpoint === undefined ? null : wireCheckpoint(checkpoint) };
    }
    case 'wait':
      return waiting.start(request);
    case 'cancel':
      throw logError('LS_LOG_PROTOCOL_BROKEN', 'A cancel has no answer.');
    case 'yield':
      if (options.keeps) throw logError('LS_LOG_OWNED', `Process ${process.pid} owns the log directory and keeps it.`, { pid: process.pid });
      options.onYield();
      return { result: null };
  }
}

function transactionOf({ records, checkpoints, expected }: RequestOf<'commit'>, body: Buffer): LogTransaction {
  return { records: unpackAppends(records, body), checkpoints, ...(expected === undefined ? {} : { expected }) };
}

function hello(request: RequestOf<'hello'>, options: ConnectionOptions): Result {
  if (request.protocol === protocolVersion) return { result: { protocol: protocolVersion, pid: process.pid, keeps: options.keeps } };
  throw logError(
    'LS_LOG_PROTOCOL_VERSION',
    `The owner of the log directory (process ${process.pid}) speaks version ${protocolVersion} of the local protocol, not ${request.protocol}.`,
    { protocol: protocolVersion, protocolAsked: request.protocol },
  );
}
