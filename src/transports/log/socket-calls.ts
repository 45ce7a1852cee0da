/**
 * Pipelined calls over one connection to the owner: requests are written in the order of the calls, answers come in any order, and while
 * the socket is full requests wait here. When the connection ends, every open call rejects with LS_LOG_OWNER_LOST, whose detail `sent`
 * tells whether the owner may have acted on it.
 */
import type { Socket } from 'node:net';
import { logError } from '../../core/errors/log.ts';
import { createFrameReader, encodeFrame, type Frame } from './frames.ts';
import { answerSchema, errorFromWire, parsed, type Goodbye, type Request } from './socket-protocol.ts';

type Answered = { readonly result: unknown; readonly body: Buffer };

export type Calls = {
  /** `cancel`, when it aborts, asks the owner to answer early. */
  readonly call: (op: Request['op'], request: object, body?: readonly Buffer[], cancel?: AbortSignal) => Promise<Answered>;
  /** Aborts when no call can be made any more. */
  readonly leaving: AbortSignal;
  /** Resolves when the connection is closed. */
  readonly ended: Promise<Goodbye | 'lost'>;
  readonly close: () => Promise<void>;
};

type OpenCall = { readonly resolve: (answered: Answered) => void; readonly reject: (error: Error) => void; sent: boolean };
type OpenCalls = ReturnType<typeof openCalls>;

export function callsOver(socket: Socket): Calls {
  const open = openCalls();
  const unsent: { readonly id: number; readonly bytes: Buffer }[] = [];
  const ending = Promise.withResolvers<Goodbye | 'lost'>();
  let lastId = 0;
  const leaving = new AbortController();
  let goodbye: Goodbye | undefined;
  /** Why no call can be made any more, once there is a reason. */
  let refusal: ((op: string) => Error) | undefined;

  const write = (): void => {
    while (!socket.writableNeedDrain && socket.writable) {
      const next = unsent.shift();
      if (next === undefined) return;
      open.markSent(next.id);
      socket.write(next.bytes);
    }
  };
  const send = (id: number, bytes: Buffer): void => {
    unsent.push({ id, bytes });
    write();
  };
  const leave = (how: Goodbye): void => {
    goodbye = how;
    refusal ??= () => ownerLost(false);
    leaving.abort();
    // What has not been sent is for the next owner.
    unsent.length = 0;
    open.rejectUnsent();
  };
  receiveFrom(socket, open, leave, () => {
    if (refusal !== undefined && open.none()) socket.end();
  });
  socket.on('drain', write);
  let broken: Error | undefined;
  socket.on('error', (error) => {
    broken = error;
  });
  socket.once('close', () => {
    refusal ??= () => ownerLost(false);
    leaving.abort();
    ending.resolve(goodbye ?? 'lost');
    open.rejectAll(broken);
  });

  return {
    call: async (op, request, body = [], cancel) => {
      if (refusal !== undefined) throw refusal(op);
      const id = ++lastId;
      const bytes = encodeFrame({ op, id, ...request }, body);
      const answered = open.add(id);
      const onCancel = (): void => send(id, encodeFrame({ op: 'cancel', id }));
      cancel?.addEventListener('abort', onCancel);
      send(id, bytes);
      return answered.finally(() => cancel?.removeEventListener('abort', onCancel));
    },
    leaving: leaving.signal,
    ended: ending.promise,
    close: async () => {
      refusal = (op) => logError('LS_LOG_CLOSED', `${op} was called on a closed log.`);
      leaving.abort();
      open.rejectAll();
      // Not even an owner that hangs keeps us.
      socket.destroySoon();
      await ending.promise;
    },
  };
}

function openCalls() {
  const calls = new Map<number, OpenCall>();
  const take = (id: number): OpenCall | undefined => {
    const call = calls.get(id);
    calls.delete(id);
    return call;
  };
  const rejectWhere = (applies: (call: OpenCall) => boolean, cause?: Error): void => {
    for (const [id, call] of [...calls]) {
      if (!applies(call)) continue;
      calls.delete(id);
      call.reject(ownerLost(call.sent, cause));
    }
  };
  return {
    add: (id: number): Promise<Answered> => {
      const { promise, resolve, reject } = Promise.withResolvers<Answered>();
      calls.set(id, { resolve, reject, sent: false });
      return promise;
    },
    take,
    markSent: (id: number): void => {
      const call = calls.get(id);
      if (call !== undefined) call.sent = true;
    },
    none: (): boolean => calls.size === 0,
    rejectUnsent: (): void => rejectWhere(({ sent }) => !sent),
    rejectAll: (cause?: Error): void => rejectWhere(() => true, cause),
  };
}

function receiveFrom(socket: Socket, open: OpenCalls, leave: (goodbye: Goodbye) => void, answered: () => void): void {
  const reader = createFrameReader();
  const receive = ({ header, body }: Frame): void => {
    const answer = parsed(answerSchema, header);
    if ('goodbye' in answer) leave(answer.goodbye);
    else if ('error' in answer) open.take(answer.id)?.reject(errorFromWire(answer.error));
    else open.take(answer.id)?.resolve({ result: answer.result, body });
  };
  socket.on('data', (chunk) => {
    try {
      reader.push(chunk).forEach(receive);
      answered();
    } catch (error) {
      socket.destroy(error instanceof Error ? error : undefined);
    }
  });
}

function ownerLost(sent: boolean, cause?: Error): Error {
  const doubt = sent ? 'it was sent, so the owner may have acted on it' : 'it was not sent';
  return logError('LS_LOG_OWNER_LOST', `The owner of the log directory was gone before it answered a call (${doubt}).`, { sent }, { cause });
}
