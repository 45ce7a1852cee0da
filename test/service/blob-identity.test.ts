// Without any secret in its configuration the program shows the identity that the platform gives it.
import { expect, test, vi } from 'vitest';
import { certificateNeeds, makeCertificates } from '../brokers/certificates.ts';
import { makeLog } from '../cli/fixtures.ts';
import { describeWith } from '../requirements.ts';
import { startIdentityService } from '../stores/identity-service.ts';
import { startProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 120_000 });

const stateless = `
dataDirectory: ./data
server: { enabled: false }
transport: { partitionCount: 1 }
`;
const configuration = (containerUrl: string): string => `${stateless}state: { kind: blob, containerUrl: "${containerUrl}" }\n`;

describeWith(certificateNeeds(), 'a managed identity', () => {
  test.each([
    ['is shown to the container, which takes it', 'token-of-the-identity', true],
    ['that the container does not know is refused with a code, and its token told to nobody', 'token-of-another', false],
  ])('%s', async (_name, given, isTaken) => {
    await withDirectory(async (directory) => {
      const { server, authority } = await makeCertificates(directory);
      const service = await startIdentityService(server, 'token-of-the-identity', given);
      try {
        await makeLog(await writeConfiguration(directory, stateless));
        const file = await writeConfiguration(directory, configuration(service.containerUrl));
        const { code, stdout, stderr } = await startProgram(['clusters', 'list', '-c', file], { ...service.environment, NODE_EXTRA_CA_CERTS: authority.certificatePath }).finished;
        expect(service.tokensGiven(), stderr).toBe(1);
        expect(stdout + stderr).not.toContain(given);
        expect(code === 0, stderr).toBe(isTaken);
        expect(stderr.includes('LS_STATE_CREDENTIALS'), stderr).toBe(!isTaken);
      } finally {
        await service.close();
      }
    });
  });
});
