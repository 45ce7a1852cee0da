// The program is loaded below, once the signals are heard: loading takes most of a start, and a supervisor may change its mind.
const stopping = new AbortController();
const signals = ['SIGINT', 'SIGTERM'] as const;
/** The second signal, the same or the other one, ends the process at once, as people expect of Ctrl-C. */
function stop(): void {
  stopping.abort();
  for (const signal of signals) process.off(signal, stop);
}
for (const signal of signals) process.on(signal, stop);
const { limitHeaps } = await import('./heap-limits.ts');
limitHeaps();
const { runProgram } = await import('./cli/program.ts');
process.exitCode = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  signal: stopping.signal,
});
