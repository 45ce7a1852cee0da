/**
 * Loaded with `node --import` in front of the real program: sends its process the signal LABELSTREAM_TEST_SIGNAL while its modules are being loaded,
 * and LABELSTREAM_TEST_SECOND_SIGNAL, if there is one, once the program has heard the first.
 */
import { registerHooks } from 'node:module';

const { LABELSTREAM_TEST_SIGNAL: first = 'SIGTERM', LABELSTREAM_TEST_SECOND_SIGNAL: second } = process.env;
if (second !== undefined) process.once(first, () => setImmediate(() => process.kill(process.pid, second)));

registerHooks({
  load: (url, context, nextLoad) => {
    if (url.endsWith('/src/cli/program.ts')) process.kill(process.pid, first);
    return nextLoad(url, context);
  },
});
