// The blocks of the documents that need sample data, as they stand there, and what must come out. A block that is in no tour fails the last test.
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sampleModels, samples } from '../../examples/example.ts';
import { blocksOf, documents, root, type Block } from '../repository/documents.ts';
import { followBlock, placeOf, prepare } from '../repository/run-blocks.ts';
import { withDirectory } from '../service/program.ts';
import { expectGoldenVectors } from './minilm-golden.ts';
import { fileThere, testWith } from '../requirements.ts';

const blocks = (await Promise.all((await documents()).map(blocksOf))).flat().filter(({ language, marks }) => language === 'sh' && marks.get('needs') === 'sample data');
const blocksOn = (tutorial: string, matching = /(?:)/): Block[] => blocks.filter(({ document, text }) => document === `docs/tutorials/${tutorial}.md` && matching.test(text));

type Tour = {
  readonly name: string;
  readonly blocks: readonly Block[];
  /** Files and folders of the samples. */
  readonly data: readonly string[];
  readonly networks: readonly string[];
  /** By the name of the example: what the last line of `npm run example:...` said. */
  readonly check: (results: Readonly<Record<string, unknown>>, directory: string) => void | Promise<void>;
};

const withMiniLm = /LABELSTREAM_ENCODER/;

const tours: readonly Tour[] = [
  {
    name: 'news: 7,600 texts into live clusters',
    blocks: blocksOn('news').filter(({ text }) => !withMiniLm.test(text)),
    data: ['text/ag_news_test.csv'],
    networks: [],
    check: ({ news }) => {
      // The card of the encoder gives 0.075, by another implementation of DBSCAN.
      expect(news).toMatchObject({ texts: 7600, adjustedRandIndex: expect.closeTo(0.075, 2) as number });
      const { clusters, noiseShare } = news as { clusters: number; noiseShare: number };
      expect(clusters).toBeGreaterThanOrEqual(10);
      expect(noiseShare).toBeLessThan(0.75);
    },
  },
  {
    name: 'banknotes: every row is predicted',
    blocks: blocksOn('banknotes'),
    data: ['banknote/BankNote_Authentication.csv'],
    networks: [],
    check: ({ banknotes }) => {
      expect(banknotes).toMatchObject({ rowsPredicted: 1372, crossValidated: { crossValidatedAccuracy: expect.any(Number) as number, duplicatedRowsGrouped: true } });
    },
  },
  {
    // The numbers measured with this network and these photographs, by another implementation, must come out again.
    name: 'pets: cats and dogs part into two pure clusters',
    blocks: blocksOn('pets'),
    data: ['images/cats-dogs'],
    networks: ['shufflenet-v2-12-int8.onnx'],
    check: ({ pets }) => {
      expect(pets).toEqual({
        images: { cats: 14, dogs: 15 },
        classifiedRight: 29,
        clusters: [
          { collection: 'pets', cats: 14, dogs: 0 },
          { collection: 'pets', cats: 0, dogs: 14 },
          { collection: 'pets-cat', cats: 14, dogs: 0 },
          { collection: 'pets-dog', cats: 0, dogs: 14 },
        ],
      });
    },
  },
  {
    name: 'banking: questions through an imported MiniLM into live clusters, then news through it',
    blocks: [...blocksOn('banking'), ...blocksOn('news', withMiniLm)],
    data: ['text/banking77_train.csv', 'text/ag_news_test.csv'],
    networks: ['all-MiniLM-L6-v2'],
    check: async ({ banking, news }, directory) => {
      // scikit-learn's DBSCAN of the same vectors: 88 clusters, 41.7 % noise, 0.037, and 0.494 without noise. Which cluster a border item joins differs.
      expect(banking).toMatchObject({
        texts: 2001,
        clusters: 88,
        noiseShare: expect.closeTo(0.417, 2) as number,
        adjustedRandIndex: expect.closeTo(0.037, 2) as number,
        adjustedRandIndexWithoutNoise: expect.closeTo(0.495, 2) as number,
      });
      expect(news).toMatchObject({ texts: shortRows });
      await expectGoldenVectors(join(directory, 'data/models/minilm'));
    },
  },
  {
    name: 'detectors of one graph are imported, and have known boxes',
    blocks: blocks.filter(({ document }) => document === 'docs/tasks.md'),
    data: ['labels/coco_classes.txt'],
    networks: ['yolox_nano.onnx', 'ultraface_RFB-320.onnx'],
    check: async (_, directory) => {
      for (const name of ['yolox', 'faces']) {
        const { knownAnswers } = JSON.parse(await readFile(join(directory, 'data/models', name, 'manifest.json'), 'utf8')) as { knownAnswers: { output: { boxes: unknown[] } }[] };
        expect(knownAnswers.map(({ output }) => output.boxes.length > 0)).toEqual([true, true]);
      }
    },
  },
];

/** MiniLM needs minutes for a whole data set: these blocks get the first rows of it. */
const shortened = /\/text\/banking77_train\.csv|LABELSTREAM_ENCODER/;
const shortRows = 300;

async function writeShortSamples(directory: string): Promise<void> {
  await mkdir(join(directory, 'text'), { recursive: true });
  for (const [file, header] of [['text/banking77_train.csv', 1], ['text/ag_news_test.csv', 0]] as const) {
    const lines = (await readFile(join(samples, file), 'utf8')).split('\n');
    await writeFile(join(directory, file), `${lines.slice(0, shortRows + header).join('\n')}\n`);
  }
}

/** Beside what every document finds: the examples themselves, so that their data lies here, with what they import; and the networks, which are named without a folder. */
async function prepareExamples(directory: string, { networks }: Tour): Promise<void> {
  await prepare(directory);
  await rm(join(directory, 'examples'), { recursive: true });
  await cp(join(root, 'examples'), join(directory, 'examples'), { recursive: true });
  await symlink(join(root, 'src'), join(directory, 'src'));
  await symlink(join(root, 'node_modules/csv-parse'), join(directory, 'node_modules/csv-parse'));
  for (const network of networks) await symlink(join(sampleModels, network), join(directory, network));
}

function examplesRun(text: string): string[] {
  return [...text.matchAll(/\bnpm run example:(\w+)$/gm)].map(([, name = '']) => name);
}

describe.concurrent('tours', () => {
  for (const tour of tours) {
    const paths = [...tour.data.map((path) => join(samples, path)), ...tour.networks.map((path) => join(sampleModels, path))];
    testWith(Object.fromEntries(paths.map((path) => [path, fileThere(path)])), tour.name, { timeout: 600_000 }, () =>
      withDirectory(async (directory) => {
        await prepareExamples(directory, tour);
        const short = join(directory, 'short-samples');
        if (tour.blocks.some(({ text }) => shortened.test(text))) await writeShortSamples(short);
        const results: Record<string, unknown> = {};
        for (const block of tour.blocks) {
          const printed = await followBlock(block, directory, { LABELSTREAM_SAMPLES: shortened.test(block.text) ? short : samples, LABELSTREAM_SAMPLE_MODELS: sampleModels });
          const objects = printed.split('\n').filter((line) => line.startsWith('{'));
          const names = examplesRun(block.text);
          expect(objects, placeOf(block)).toHaveLength(names.length);
          for (const [index, name] of names.entries()) {
            console.log(`${name}: ${objects[index] ?? ''}`);
            results[name] = JSON.parse(objects[index] ?? '');
          }
        }
        await tour.check(results, directory);
      }),
    );
  }
});

test('every block that needs sample data is in a tour', () => {
  const followed = new Set(tours.flatMap((tour) => tour.blocks.map(placeOf)));
  expect(blocks.length).toBeGreaterThan(0);
  expect(blocks.map(placeOf).filter((place) => !followed.has(place))).toEqual([]);
});
