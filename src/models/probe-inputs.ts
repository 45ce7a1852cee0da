/** Items with which a model is probed: its known answers, and made-up ones of every length or size that it may meet. */
import type { Random } from '../core/clock.ts';
import { knownInputs } from './known-answers.ts';
import type { GraphManifest } from './manifest.ts';
import type { ModelInput } from './model-port.ts';
import { probeImages } from './probe-images.ts';
import type { ModelArtefacts } from './repository.ts';

const itemsPerLength = 12;
const valuesItems = 48;

export async function probeInputs(artefacts: ModelArtefacts, random: Random): Promise<ModelInput[]> {
  const { manifest } = artefacts;
  const known = knownInputs(artefacts);
  if (manifest.kind !== 'graph') return known;
  const { preprocessing, executedShapes } = manifest;
  if (preprocessing.kind === 'values') return [...known, ...Array.from({ length: valuesItems }, () => madeUpValues(manifest, preprocessing.fields, random))];
  if (preprocessing.kind === 'image') return [...known, ...(await probeImages(random))];
  const texts = (executedShapes.lengths ?? []).flatMap((length) =>
    // From one word up to about as many subwords as the length holds: a word gives roughly a dozen.
    Array.from({ length: itemsPerLength }, () => madeUpText(1 + Math.floor((random() * length) / 6), random)),
  );
  return [...known, ...texts];
}

const syllables = ['ka', 'lo', 'mi', 'ten', 'sur', 'vor', 'é', 'qu', 'ing', 'al', 'ö', 'st', 'er', 'pro', 'x', 'ba'];

function madeUpText(words: number, random: Random): ModelInput {
  const word = (): string => Array.from({ length: 1 + Math.floor(random() * 4) }, () => syllables[Math.floor(random() * syllables.length)] ?? '').join('');
  return { kind: 'text', text: Array.from({ length: words }, word).join(' ') };
}

/** Around the known answers, and now and then ten times as far out: that is what shifts a scale that is shared by a batch. */
function madeUpValues({ knownAnswers }: GraphManifest, fields: readonly string[], random: Random): ModelInput {
  const spread = random() < 0.25 ? 10 : 1;
  const values = fields.map((field): [string, number] => {
    const known = knownAnswers.flatMap(({ input }) => (input.kind === 'values' ? (input.values[field] ?? []) : []));
    const centre = known[Math.floor(random() * known.length)] ?? 0;
    return [field, (centre + 2 * random() - 1) * spread];
  });
  return { kind: 'values', values: Object.fromEntries(values) };
}
