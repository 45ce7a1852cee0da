// Prometheus itself on the rules that come with the repository: well formed, silent while all is well, loud for their causes.
import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import { repository } from '../service/program.ts';
import { commandThere, testWith } from '../requirements.ts';

const promtool = { 'promtool (Debian package prometheus)': commandThere('promtool') };

testWith(promtool, 'promtool finds no fault in the configuration, the rules and when they fire', {}, () => {
  for (const parameters of [['check', 'config', 'deploy/prometheus.yaml'], ['check', 'rules', 'deploy/alerts.yaml'], ['test', 'rules', 'deploy/alerts.test.yaml']]) {
    const { status, stdout, stderr } = spawnSync('promtool', parameters, { cwd: repository, encoding: 'utf8' });
    expect({ parameters, status }, `${stdout}${stderr}`).toEqual({ parameters, status: 0 });
  }
  return Promise.resolve();
});
