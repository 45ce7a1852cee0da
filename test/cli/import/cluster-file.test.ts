// Files of clusters as numpy and JSON write them: what is in them, and what is refused, before much of it is in memory.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openClusterFile } from '../../../src/cli/import/cluster-file.ts';
import { refusal } from '../../references/content-server.ts';
import { blocksOf } from '../../repository/documents.ts';
import { withDirectory } from '../../service/program.ts';
import { bytesOf, float32, float64Scalar, int64, int64Scalar, npy, unicode, zip, type ZipOptions } from './npz-writer.ts';

const vectors = [[1, 0.5], [0.25, -2], [3, 4]];
const entries = {
  vectors: float32(vectors), items: unicode(['a', 'grün/b', '𝄞']), clusters: int64([0, 0, -1]), labels: unicode(['cats']), eps: float64Scalar(0.4), min_samples: int64Scalar(3), metric: unicode(['cosine'], { isScalar: true }),
};
const expected = { items: ['a', 'grün/b', '𝄞'], clusters: [0, 0, -1], labels: new Map([[0, 'cats']]), eps: 0.4, minPoints: 3, metric: 'cosine', vectors };

/** All of it, the vectors twice. */
async function read(bytes: Uint8Array | string, signal = new AbortController().signal): Promise<unknown> {
  return withDirectory(async (directory) => {
    const path = join(directory, 'clusters');
    await writeFile(path, bytes);
    const { close, vectors: rows, sha256, model, modelVersion, ...content } = await openClusterFile(path, signal);
    try {
      const [first, second] = [await Array.fromAsync(rows()), await Array.fromAsync(rows())];
      expect([second, model, modelVersion, sha256]).toEqual([first, undefined, undefined, expect.stringMatching(/^[0-9a-f]{64}$/)]);
      return { ...content, vectors: first.map((row) => [...row]) };
    } finally {
      await close();
    }
  });
}

const zipped = (changes: Readonly<Record<string, Buffer | undefined>> = {}, options?: ZipOptions): Buffer =>
  zip(Object.fromEntries(Object.entries<Buffer | undefined>({ ...entries, ...changes }).flatMap(([name, content]) => (content === undefined ? [] : [[name, content]]))), options);

describe('an .npz', () => {
  test.each<[string, ZipOptions]>([['stored', {}], ['deflated', { deflate: true }], ['with the sizes of a large one', { far: true, deflate: true }]])('%s', async (_name, options) => {
    expect(await read(zipped({}, options))).toEqual(expected);
  });

  test.each([
    ['float64 vectors, the other way round', { vectors: npy("'>f8'", [3, 2], bytesOf(Float64Array.from(vectors.flat())).swap64(), { version: 2 }) }],
    ['texts the other way round, in version 3', { items: unicode(expected.items, { isBig: true }) }],
    ['clusters of four bytes', { clusters: npy("'<i4'", [3], bytesOf(Int32Array.of(0, 0, -1)), { version: 3 }) }],
    ['items as bytes', { items: npy("'|S7'", [3], Buffer.concat(expected.items.map((item) => Buffer.concat([Buffer.from(item), Buffer.alloc(7 - Buffer.byteLength(item))])))) }],
  ])('%s', async (_name, changes) => {
    expect(await read(zipped(changes))).toEqual(expected);
  });

  test('may leave out all but vectors, items and clusters, and ids may be numbers', async () => {
    expect(await read(zipped({ labels: undefined, eps: undefined, min_samples: undefined, metric: undefined, items: int64([7, -1, 10]) }))).toEqual({
      ...expected, items: ['7', '-1', '10'], labels: new Map(), eps: undefined, minPoints: undefined, metric: undefined,
    });
  });

  test.each<[string, Buffer, RegExp]>([
    ['an array of objects', zipped({ items: npy("'|O'", [3], Buffer.from([0x80, 4])) }), /items: it is an array of Python objects, a pickle/],
    ['columns first', zipped({ vectors: npy("'<f4'", [3, 2], Buffer.alloc(24), { fortran: true }) }), /Fortran order/],
    ['a type of records', zipped({ items: npy("[('a', '<i4')]", [3], Buffer.alloc(12)) }), /items: values of type/],
    ['half floats', zipped({ vectors: npy("'<f2'", [3, 2], Buffer.alloc(12)) }), /vectors: values of type/],
    ['no array', zipped({ clusters: Buffer.from('clusters') }), /clusters: it is no array/],
    ['no vectors', zipped({ vectors: undefined }), /it has no array vectors/],
    ['what nobody knows', zipped({ extra: int64([1]) }), /it has an array "extra.npy"; known are/],
    ['fewer clusters', zipped({ clusters: int64([0, 0]) }), /3 items, and clusters of 2/],
    ['fewer vectors', zipped({ vectors: float32(vectors.slice(1)) }), /3 items, and vectors of 2/],
    ['a shape that is not that of its bytes', zipped({ vectors: npy("'<f4'", [3, 2_000], Buffer.alloc(24)) }), /which its shape \(3, 2000\) does not say/],
    ['rows without end', zipped({ vectors: npy("'<f4'", [1, 2_000_000], Buffer.alloc(24)) }), /a row has 8000000 bytes/],
    ['an item twice', zipped({ items: unicode(['a', 'b', 'a']) }), /"a" is there twice/],
    ['a cluster below -1', zipped({ clusters: int64([0, 0, -2]) }), /-2 is no number of a cluster/],
    ['a label of no cluster', zipped({ labels: unicode(['cats', 'dogs']) }), /cluster 1 has a label and no items/],
    ['a wrong checksum', zipped({}, { claims: { checksum: 1 } }), /is damaged/],
    ['something encrypted', zipped({}, { claims: { flags: 1 } }), /encrypted/],
    ['half of a surrogate pair in an id', zipped({ items: unicode(['a', '\ud800', 'c']) }), /the item "\\ud800" has half of a surrogate pair/],
    ['half of a surrogate pair in a label', zipped({ labels: unicode(['\udc00']) }), /the label of the cluster 0 has half of a surrogate pair/],
    ['bytes that are no text', zipped({ items: npy("'|S4'", [3], Buffer.from('caf\xe9caf\xe8c\0\0\0', 'latin1')) }), /items: it holds bytes that are no text in UTF-8/],
    ['a wrong number of neighbours', zipped({ min_samples: int64Scalar(0) }), /min_samples is 0/],
    ['an end too soon', zipped().subarray(0, 200), /it has no directory/],
    ['a pickle', Buffer.from([0x80, 4, 0x95]), /it is a pickle/],
    ['nothing', Buffer.alloc(0), /neither an \.npz nor JSON/],
  ])('%s is refused', async (_name, bytes, said) => {
    expect(await refusal(read(bytes))).toMatchObject({ code: 'LS_CLI_IMPORT_FILE', message: expect.stringMatching(said) as string });
  });

  test('no more is inflated than the directory says', async () => {
    // A hundred megabytes of zeros in a few kilobytes.
    const claimed = npy("'<f4'", [3, 2], Buffer.alloc(24)).length;
    const bomb = zip({ ...entries, vectors: npy("'<f4'", [3, 2], Buffer.alloc(100 * 1024 * 1024)) }, { deflate: true, claims: { bytes: claimed } });
    expect(bomb.length).toBeLessThan(200_000);
    expect(await refusal(read(bomb))).toMatchObject({ code: 'LS_CLI_IMPORT_FILE', message: expect.stringContaining(`holds more than the ${claimed} bytes`) as string });
  });
});

test.each([
  ['labels', /labels has 10000001 values; at most 10000000 are read/],
  ['clusters', /clusters has 10000001 values/],
  ['items', /items has 10000001 values/],
])('more %s than are ever taken are not read, however little they take in the file', async (name, said) => {
  const many = npy(name === 'clusters' ? "'|i1'" : "'|S1'", [10_000_001], Buffer.alloc(10_000_001));
  const small = zipped({ [name]: many }, { deflate: true });
  expect(small.length).toBeLessThan(20_000);
  expect(await refusal(read(small))).toMatchObject({ code: 'LS_CLI_IMPORT_FILE', message: expect.stringMatching(said) as string });
});

test('texts that would not fit into memory are not read, however little they take in the file', async () => {
  const width = 1_000_000;
  const many = npy("'|S1000000'", [300], Buffer.alloc(300 * width, 'x'));
  expect(await refusal(read(zipped({ items: many, vectors: float32(Array.from({ length: 300 }, () => [1])) }, { deflate: true })))).toMatchObject({ code: 'LS_CLI_IMPORT_FILE', message: expect.stringContaining('more than 268435456 characters') as string });
});

test.each([['an .npz', zipped()], ['JSON', '{}']])('%s is not read on once nobody wants it', async (_name, content) => {
  const reason = new Error('stopped');
  await expect(read(content, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('vectors are not read on once nobody wants them', async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, 'clusters');
    await writeFile(path, zipped({}, { deflate: true }));
    const stopping = new AbortController();
    const file = await openClusterFile(path, stopping.signal);
    try {
      const reason = new Error('stopped');
      stopping.abort(reason);
      await expect(Array.fromAsync(file.vectors())).rejects.toBe(reason);
    } finally {
      await file.close();
    }
  });
});

describe('JSON', () => {
  const whole = { vectors, items: expected.items, clusters: expected.clusters, labels: ['cats'], eps: 0.4, min_samples: 3, metric: 'cosine' };

  test.each([['a list of labels', whole], ['labels by number', { ...whole, labels: { 0: 'cats' } }]])('with %s', async (_name, content) => {
    expect(await read(JSON.stringify(content))).toEqual(expected);
  });

  test.each([
    ['an unknown field', { ...whole, distance: 1 }, /distance/],
    ['half of a surrogate pair', { ...whole, items: ['a', '\ud800', 'c'] }, /the item "\\ud800" has half of a surrogate pair/],
    ['a text for a number', { ...whole, clusters: ['0', 0, 0] }, /clusters\.0/],
    ['a list for the whole', [whole], /the whole/],
    ['fewer vectors', { ...whole, vectors: [[1]] }, /3 items, and vectors of 1/],
  ])('%s is refused', async (_name, content, said) => {
    expect(await refusal(read(JSON.stringify(content)))).toMatchObject({ code: 'LS_CLI_IMPORT_FILE', message: expect.stringMatching(said) as string });
  });

  test('what is not UTF-8 is refused, and its ids are not changed', async () => {
    const latin = Buffer.from(JSON.stringify({ ...whole, items: ['caf\xe9', 'b', 'c'] }), 'latin1');
    expect(await refusal(read(latin))).toMatchObject({ code: 'LS_CLI_IMPORT_FILE', message: expect.stringContaining('neither an .npz nor JSON in UTF-8') as string });
  });

  test('the example of the document is one', async () => {
    const [example] = (await blocksOf('docs/importing-clusters.md')).filter(({ language }) => language === 'json');
    expect(await read(example?.text ?? '')).toMatchObject({ items: ['a', 'b', 'c', 'd'], labels: new Map([[0, 'cats']]), minPoints: 3 });
  });

  test('a file that is not there is told by the system', async () => {
    expect(await refusal(openClusterFile('/nowhere/books.npz', new AbortController().signal))).toMatchObject({ code: 'LS_CLI_FILE', message: expect.stringContaining('/nowhere/books.npz') as string });
  });
});
