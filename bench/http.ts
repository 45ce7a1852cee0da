/**
 * What the interfaces of HTTP cost: processor time of the server for a request, against a bare route of Fastify that awaits the same scheduler with the
 * same schema and check of a key; and how requests and the stream share the models. Servers are processes of their own; clients and the parent share the
 * machine with them, which the processor time does not count.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKey } from '../src/server/api-keys.ts';
import { UnknownCase, type Bench } from './bench.ts';
import { startChild, type Child } from './dbscan/child-process.ts';
import { createClients, type Clients, type Request } from './http/clients.ts';
import type { ServerCommands, ServerKind } from './http/server-commands.ts';
import { picture } from './inference/work.ts';
import { interleavedPairs, median, type PairsResult, type Side } from './interleaved-pairs.ts';

const clientCount = 32;
const project = '12345678-1234-1234-1234-123456789012';
const classifyPath = `/customvision/v3.1/prediction/${project}/classify/iterations/drawings/image/nostore`;
/** As many as EXTRACT has in work (extract.inFlightRecordsMax). */
const streamInWorkItems = 384;
/** As inference.streamShareMin is by default. */
const streamShare = 0.25;
/** A turn takes a second, and a shared machine changes its speed between two: of many pairs that spoils some, of few the median. */
const predictPairsFactor = 5;
const cases = ['predict', 'classify', 'sharing'] as const;

type Server = { readonly child: Child<ServerCommands>; readonly clients: Clients; readonly kind: ServerKind };

export const http: Bench = async (report, { only, scale, pairCount }) => {
  const unknown = only.find((name) => !cases.some((known) => known === name));
  if (unknown !== undefined) throw new UnknownCase(`there is no case ${unknown}; the cases are ${cases.join(', ')}`);
  const isWanted = (name: (typeof cases)[number]): boolean => only.length === 0 || only.includes(name);
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-bench-http-'));
  const { key, sha256 } = createKey();
  const start = async (kind: ServerKind): Promise<Server> => {
    const child = startChild<ServerCommands>(join(import.meta.dirname, 'http/server-child.ts'), {}, 'ignore');
    return { child, kind, clients: createClients(await child.call('start', { kind, keySha256: sha256, directory }), key, clientCount) };
  };
  const servers = [await start('own'), await start('bare')] as const;
  try {
    const [own, bare] = servers;
    const turnSecondsMin = 10 * scale;
    const compared = async (name: 'predict' | 'classify', of: Requests, pairs: number) => [`${name}ToBareRoute`, await compare(name, own, bare, { of, pairCount: pairs, turnSecondsMin, report })] as const;
    const results = [
      ...(isWanted('predict') ? [await compared('predict', predictRequests(Math.round(4_000 * scale)), predictPairsFactor * pairCount)] : []),
      ...(isWanted('classify') ? [await compared('classify', await classifyRequests(Math.round(1_000 * scale)), pairCount)] : []),
    ];
    const sharing = isWanted('sharing') ? await measureSharing(own, { requests: (await classifyRequests(32))[own.kind], pairCount, windowMs: 10_000 * scale, report }) : undefined;
    return {
      work: `${clientCount} clients, one request at a time each: processor seconds of the server process a request; then classifying by HTTP and in the stream at once`,
      ratios: { ...Object.fromEntries(results.map(([name, { ratio }]) => [name, ratio])), ...sharing?.ratios },
      sides: results.flatMap(([, { left, right }]) => [left, right]),
      figures: { ...sharing?.figures, about: { sides: 'seconds are processor seconds of the server, so items per second are per processor second' } },
    };
  } finally {
    await Promise.all(servers.map(({ clients }) => clients.close()));
    await Promise.all(servers.map(({ child }) => child.close()));
    await rm(directory, { recursive: true });
  }
};

type Requests = Readonly<Record<ServerKind, readonly Request[]>>;

function predictRequests(count: number): Requests {
  const requests = Array.from({ length: count }, (_, index): Request => {
    const at = (factor: number): number => Math.round(1000 * Math.sin(index * factor) * 5) / 1000;
    return { path: '/predict', contentType: 'application/json', body: JSON.stringify({ variance: at(1), skewness: at(2), curtosis: at(3), entropy: at(5) }) };
  });
  return { own: requests, bare: requests };
}

async function classifyRequests(count: number): Promise<Requests> {
  const pictures = await Promise.all(Array.from({ length: Math.min(64, count) }, (_, seed) => picture(seed)));
  const to = (path: string): Request[] => Array.from({ length: count }, (_, index) => ({ path, contentType: 'application/octet-stream', body: pictures[index % pictures.length]! }));
  return { own: to(classifyPath), bare: to('/classify') };
}

type CompareOptions = { readonly of: Requests; readonly pairCount: number; readonly turnSecondsMin: number; readonly report: (message: string) => void };

function compare(name: string, own: Server, bare: Server, { of, pairCount, turnSecondsMin, report }: CompareOptions): Promise<PairsResult<readonly string[], readonly string[]>> {
  const side = ({ child, clients, kind }: Server): Side<readonly string[]> => ({
    name: `${name}: ${kind === 'own' ? 'labelstream' : 'bare route'}`,
    pass: async () => {
      const before = await child.call('cpuSeconds', undefined);
      const answers = await clients.send(of[kind]);
      const cpuSeconds = (await child.call('cpuSeconds', undefined)) - before;
      return { items: answers.length, output: answers.map(saidIn), seconds: cpuSeconds, cpuSeconds };
    },
  });
  return interleavedPairs({
    left: side(own), right: side(bare), pairCount, turnSecondsMin, turnItemsMin: 2_000,
    difference: (left, right) => {
      const index = left.findIndex((said, at) => said !== right[at]);
      return left.length === right.length && index < 0 ? undefined : `answer ${index}: ${left[index]} and ${right[index]}`;
    },
    report: (sideName, { items, cpuSeconds }) => report(`${sideName}: ${((1e6 * cpuSeconds) / items).toFixed(0)} us of processor time a request`),
  });
}

/** What both say alike, whatever else is in an answer. */
function saidIn(answer: unknown): string {
  const { prediction, probabilities, predictions } = answer as { prediction?: string; probabilities?: Record<string, number>; predictions?: { probability: number; tagName: string }[] };
  return JSON.stringify(predictions?.map(({ tagName, probability }) => [tagName, probability]) ?? [prediction, probabilities]);
}

type SharingOptions = { readonly requests: readonly Request[]; readonly pairCount: number; readonly windowMs: number; readonly report: (message: string) => void };

/** In turns: the stream alone, both, requests alone; the order is turned round from round to round. */
async function measureSharing({ child, clients }: Server, { requests, pairCount, windowMs, report }: SharingOptions) {
  const settleMs = windowMs / 5;
  const pause = (durationMs: number): Promise<void> => new Promise((done) => setTimeout(done, durationMs));
  const window = async (parts: { readonly stream: boolean; readonly requests: boolean }): Promise<{ readonly stream: number; readonly requests: number }> => {
    await child.call('stream', { inWorkItems: parts.stream ? streamInWorkItems : 0 });
    const asking = parts.requests ? clients.during(requests, windowMs + 2 * settleMs) : undefined;
    await pause(settleMs);
    const [streamBefore, answeredBefore, startedMs] = [await child.call('streamItems', undefined), clients.answered(), performance.now()];
    await pause(windowMs);
    const answered = clients.answered() - answeredBefore;
    const seconds = (performance.now() - startedMs) / 1000;
    const stream = ((await child.call('streamItems', undefined)) - streamBefore) / seconds;
    await asking;
    await child.call('stream', { inWorkItems: 0 });
    await pause(settleMs);
    return { stream, requests: answered / seconds };
  };
  const rounds: { readonly s: number; readonly h: number; readonly S: number; readonly H: number }[] = [];
  for (let round = 0; round < pairCount; round++) {
    const kinds = [{ stream: true, requests: false }, { stream: true, requests: true }, { stream: false, requests: true }] as const;
    const measured = new Map<string, { readonly stream: number; readonly requests: number }>();
    for (const kind of round % 2 === 0 ? kinds : [...kinds].reverse()) measured.set(JSON.stringify(kind), await window(kind));
    const of = (index: 0 | 1 | 2): { readonly stream: number; readonly requests: number } => measured.get(JSON.stringify(kinds[index]))!;
    const told = { S: of(0).stream, s: of(1).stream, h: of(1).requests, H: of(2).requests };
    report(`sharing: ${Object.entries(told).map(([name, value]) => `${name} ${value.toFixed(0)}/s`).join(', ')}`);
    rounds.push(told);
  }
  const ratioOf = (values: readonly number[]) => ({ median: median(values), min: Math.min(...values), max: Math.max(...values), pairs: values });
  return {
    ratios: {
      sharing: ratioOf(rounds.map(({ s, h, S, H }) => s / S + h / H)),
      streamToItsShare: ratioOf(rounds.map(({ s, S }) => s / S / streamShare)),
    },
    figures: { sharingRounds: rounds, streamShareMin: streamShare },
  };
}
