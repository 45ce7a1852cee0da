// The requests of docs/http.md, sent as they stand there to the program that the document starts.
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { withRun } from '../cli/fixtures.ts';
import { blocksOf } from '../repository/documents.ts';
import { followBlock, prepare } from '../repository/run-blocks.ts';
import { commandThere, testWith } from '../requirements.ts';
import { withDirectory } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

testWith({ curl: commandThere('curl') }, 'every request of the document is answered', {}, async () => {
  await withDirectory(async (directory) => {
    await prepare(directory);
    const blocks = await blocksOf(join('docs', 'http.md'));
    for (const block of blocks) if (block.marks.has('file')) await followBlock(block, directory);
    const requests = blocks.filter(({ marks }) => marks.get('needs') === 'a running service');
    expect(requests.length).toBeGreaterThan(4);
    await withRun(join(directory, 'http.yaml'), async (run) => {
      const { url = '' } = /"url":"(?<url>[^"]+)"/.exec(run.stderrSoFar())?.groups ?? {};
      for (const block of requests) {
        const answer = await followBlock({ ...block, text: block.text.replaceAll('http://127.0.0.1:9464', url) }, directory);
        // Of others the document says what they print.
        if (!block.marks.has('prints')) expect(answer, block.text).toMatch(/^[[{]/);
      }
    }, ['--set', 'server.port=0']);
  });
});
