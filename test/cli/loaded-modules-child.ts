/** Loaded with `node --import` in front of the real program: writes the URLs of all modules that a thread has loaded to the file LABELSTREAM_TEST_LOADED when it ends. */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const file = process.env['LABELSTREAM_TEST_LOADED'] ?? '';
const loaded: string[] = [];

registerHooks({
  load: (url, context, nextLoad) => {
    loaded.push(url);
    return nextLoad(url, context);
  },
});

// A worker thread runs this, too: what it loads is a file of its own.
process.on('exit', () => {
  appendFileSync(isMainThread ? file : `${file}-workers`, `${loaded.join('\n')}\n`);
});
