// `npm run bench -- NAME [--json]`: progress goes to standard error; with --json one object, rounded to 4 digits, is the last line of standard output.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { Bench } from './bench.ts';

/** A bench is a file of its own; adding one is a line here. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  images: async () => (await import('./images.ts')).images,
  pipeline: async () => (await import('./pipeline.ts')).pipeline,
  'text-encoders': async () => (await import('./text-encoders.ts')).textEncoders,
};

const { positionals, values } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false } } });
const [name = ''] = positionals;
const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (load === undefined || positionals.length !== 1) {
  console.error(`usage: npm run bench -- NAME [--json]\nbenches: ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else {
  const bench = await load();
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  const outcome = { bench: name, ...(await bench((message) => console.error(message))), machine };
  const rounded = (_: string, value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  console.log(JSON.stringify(outcome, rounded, values.json ? undefined : 2));
}
