import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStorage, startLocalUrlServer } from '../../conformance/index.js';

describeStorage('local', async () => {
  const root = await mkdtemp(join(tmpdir(), 'rahatback-local-'));
  const server = await startLocalUrlServer({ root, subfolder: 'team/depot' });
  return {
    backend: server.backend,
    async close() {
      await server.close();
      await rm(root, { recursive: true });
    },
  };
});
