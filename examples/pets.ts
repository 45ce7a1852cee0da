// `npm run example:pets`: photographs of cats and dogs through ShuffleNet into live clusters, and what the clusters and the labels have to do with the truth.
import { join, resolve } from 'node:path';
import { jsonLines, labelstream, program, sample, sampleModel } from './example.ts';

const photographs = await sample('images/cats-dogs');
const network = await sampleModel('shufflenet-v2-12-int8.onnx');
// As pets.yaml reads it: relative to its own folder.
const models = resolve(import.meta.dirname, process.env['LABELSTREAM_DATA_DIR'] ?? '../data', 'pets-models');

/**
 * The middle of the image, as large as it fits, resized by Lanczos. Measured on these photographs, with eps 0.40: cubic and Lanczos part cats from dogs, linear joins
 * them; so does a shorter side of 256, with which ImageNet's networks are usually tested, whatever the kernel. The labels are right with each of them.
 */
const imported = ['--preset', 'imagenet', '--shorter-side', '224', '--kernel', 'lanczos3', '--licence', 'Apache-2.0', '--source', 'onnx/models, shufflenet-v2-12-int8', '--force'];
await program('models', 'import', network, '--to', join(models, 'features'), '--expose', '611', '--normalisation', 'l2', ...imported);
await program('models', 'import', network, '--to', join(models, 'classes'), '--activation', 'softmax', '--group', 'cat=281-285,dog=151-268', ...imported);
await labelstream('pets', 'publish', 'images', photographs, '--source', 'pets');
await labelstream('pets', 'run', '--until-idle');

type Cluster = { readonly id: string; readonly collection: string; readonly size: number };
type Label = { readonly itemId: string; readonly step: string; readonly result: Readonly<Record<string, { readonly labels?: readonly { readonly label: string; readonly score: number }[] }>> };

/** cats/cat-001.jpeg lies in the folder of the cats. */
const speciesOf = (itemId: string): 'cat' | 'dog' => (itemId.includes('/cats/') ? 'cat' : 'dog');
const counts = (itemIds: readonly string[]): { cats: number; dogs: number } => ({
  cats: itemIds.filter((itemId) => speciesOf(itemId) === 'cat').length,
  dogs: itemIds.filter((itemId) => speciesOf(itemId) === 'dog').length,
});

const topLabels = new Map<string, string>();
for (const { value } of jsonLines(await labelstream('pets', 'tail', 'labels', '--from-start', '--until-end', '--json')) as { readonly value: Label }[]) {
  const best = value.result['labelstream.v1.Classification']?.labels?.[0]?.label;
  if (best !== undefined) topLabels.set(value.itemId, best);
}
const items = [...topLabels.keys()];

const clusters = [];
for (const { id, collection } of jsonLines(await labelstream('pets', 'clusters', 'list', '--json')) as Cluster[]) {
  const [shown] = jsonLines(await labelstream('pets', 'clusters', 'show', id, '--json')) as { readonly members: readonly { readonly itemId: string }[] }[];
  clusters.push({ collection, ...counts(shown?.members.map(({ itemId }) => itemId) ?? []) });
}
clusters.sort((left, right) => left.collection.localeCompare(right.collection) || right.cats - left.cats || right.dogs - left.dogs);
for (const { collection, cats, dogs } of clusters) console.log(`${collection}: ${cats} cats, ${dogs} dogs`);
console.log(JSON.stringify({
  images: counts(items),
  classifiedRight: items.filter((itemId) => topLabels.get(itemId) === speciesOf(itemId)).length,
  clusters,
}));
