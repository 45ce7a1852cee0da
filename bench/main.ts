// `npm run bench -- NAME [--json]`: progress goes to standard error; with --json one object, rounded to 4 digits, is the last line of standard output.
// A bench of many cases (dbscan) takes --only CASE[,CASE ...], --scale 0.01 for small sizes, --pairs N and --plot FILE (of growth; without it no plot is made).
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { UnknownCase, type Bench } from './bench.ts';

/** A bench is a file of its own; adding one is a line here. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  dbscan: async () => (await import('./dbscan.ts')).dbscan,
  http: async () => (await import('./http.ts')).http,
  images: async () => (await import('./images.ts')).images,
  inference: async () => (await import('./inference.ts')).inference,
  pipeline: async () => (await import('./pipeline.ts')).pipeline,
  'text-encoders': async () => (await import('./text-encoders.ts')).textEncoders,
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    scale: { type: 'string', default: '1' },
    pairs: { type: 'string', default: '5' },
    plot: { type: 'string' },
  },
});
const [name = ''] = positionals;
const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
const [scale, pairCount] = [Number(values.scale), Number(values.pairs)];
const wrong = wrongValue();
if (load === undefined || positionals.length !== 1) {
  console.error(`usage: npm run bench -- NAME [--json] [--only CASES] [--scale NUMBER] [--pairs NUMBER] [--plot FILE]\nbenches: ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else if (wrong !== undefined) {
  console.error(wrong);
  process.exitCode = 2;
} else {
  const bench = await load();
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  const only = values.only.split(',').filter((each) => each !== '');
  try {
    const outcome = { bench: name, ...(await bench((message) => console.error(message), { only, scale, pairCount, plot: values.plot })), machine };
    const rounded = (_: string, value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
    console.log(JSON.stringify(outcome, rounded, values.json ? undefined : 2));
  } catch (error) {
    if (!(error instanceof UnknownCase)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}

function wrongValue(): string | undefined {
  if (!(scale > 0 && scale < Infinity)) return `--scale is a number above 0, such as 0.01, not ${values.scale}`;
  return Number.isSafeInteger(pairCount) && pairCount >= 1 ? undefined : `--pairs is a whole number from 1 up, not ${values.pairs}`;
}
