/**
 * Loaded with `node --import` in front of the real program: sends its process the signal LABELSTREAM_TEST_SIGNAL while its modules are being loaded.
 */
import { registerHooks } from 'node:module';

registerHooks({
  load: (url, context, nextLoad) => {
    if (url.endsWith('/src/cli/program.ts')) process.kill(process.pid, process.env['LABELSTREAM_TEST_SIGNAL']);
    return nextLoad(url, context);
  },
});
