// The program is loaded below, once the signals are heard: loading takes most of a start, and a supervisor may change its mind.
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The second signal ends the process at once, as people expect of Ctrl-C.
  process.once(signal, () => {
    stopping.abort();
  });
}
const { runProgram } = await import('./cli/program.ts');
process.exitCode = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  signal: stopping.signal,
});
