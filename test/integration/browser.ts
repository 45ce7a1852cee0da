/**
 * A page in an installed Chromium, driven by its own protocol over the WebSocket of Node: enough to load a file, to see what it fetches and says, and to ask
 * it about what it shows. LABELSTREAM_TEST_CHROMIUM names the program where it has another name than those below.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { withDirectory } from '../service/program.ts';

const programs = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

export const chromium = [process.env['LABELSTREAM_TEST_CHROMIUM'] ?? [], programs].flat().find((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0);

type Message = { readonly id?: number; readonly method?: string; readonly params?: unknown; readonly result?: unknown; readonly error?: { readonly message: string } };

export type Page = {
  /** What the console, the log of the browser and uncaught errors said, in order. */
  readonly said: readonly string[];
  /** Every URL that was asked for. */
  readonly requested: readonly string[];
  /** The value of an expression in the page, as JSON has it. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  /** A PNG. */
  readonly screenshot: () => Promise<Buffer>;
};

/** Loads a file, and gives it to `look` when it is loaded. */
export async function withPage<Result>(file: string, look: (page: Page) => Promise<Result>): Promise<Result> {
  return withDirectory(async (profile) => {
    const child = spawn(chromium ?? '', ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    try {
      const port = new URL(await listeningAt(child.stderr)).port;
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as readonly { readonly type: string; readonly webSocketDebuggerUrl: string }[];
      const target = targets.find(({ type }) => type === 'page');
      if (target === undefined) throw new Error('the browser opened no page');
      return await look(await openPage(target.webSocketDebuggerUrl, pathToFileURL(file).href));
    } finally {
      // What Debian starts it by does not end it when it is ended: the group ends, and with its last process this pipe.
      if (child.pid !== undefined) process.kill(-child.pid);
      child.stderr.resume();
      await ended;
    }
  });
}

async function listeningAt(stderr: NodeJS.ReadableStream): Promise<string> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stderr })) {
    const [, address] = /^DevTools listening on (ws:\S+)/.exec(line) ?? [];
    if (address !== undefined) return address;
    lines.push(line);
  }
  throw new Error(`the browser ended:\n${lines.join('\n')}`);
}

async function openPage(address: string, url: string): Promise<Page> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error(`no connection to ${address}`)), { once: true });
  });
  const said: string[] = [];
  const requested: string[] = [];
  const answers = new Map<number, (message: Message) => void>();
  const loaded = Promise.withResolvers<undefined>();
  const seen: Readonly<Record<string, (params: unknown) => void>> = {
    'Page.loadEventFired': () => loaded.resolve(undefined),
    'Network.requestWillBeSent': (params) => requested.push((params as { request: { url: string } }).request.url),
    'Runtime.consoleAPICalled': (params) => said.push(JSON.stringify(params)),
    'Runtime.exceptionThrown': (params) => said.push(JSON.stringify(params)),
    'Log.entryAdded': (params) => said.push(JSON.stringify(params)),
    'Page.javascriptDialogOpening': (params) => said.push(JSON.stringify(params)),
  };
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) answers.get(message.id)?.(message);
    else seen[message.method ?? '']?.(message.params);
  });
  let lastId = 0;
  const ask = (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      answers.set(id, ({ result, error }) => (error === undefined ? resolve(result) : reject(new Error(`${method}: ${error.message}`))));
      socket.send(JSON.stringify({ id, method, params }));
    });
  for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await ask(`${domain}.enable`);
  await ask('Page.navigate', { url });
  await loaded.promise;
  return {
    said,
    requested,
    evaluate: async (expression) => {
      const { result, exceptionDetails } = (await ask('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })) as { result: { value: unknown }; exceptionDetails?: { text: string } };
      if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text);
      return result.value;
    },
    screenshot: async () => Buffer.from(((await ask('Page.captureScreenshot', { captureBeyondViewport: true })) as { data: string }).data, 'base64'),
  };
}
