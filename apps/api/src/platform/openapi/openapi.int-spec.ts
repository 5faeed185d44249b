import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AppModule } from '../../app.module.js';
import { testConfig } from '../../testing/test-config.js';
import { exportDocument } from './export-document.js';

const packageDir = (name: string): string =>
  dirname(createRequire(join(process.cwd(), 'package.json')).resolve(`${name}/package.json`));

describe('the OpenAPI document', () => {
  it('is the one that the client is generated from, and needs no server to be made', async () => {
    const config = testConfig({
      databaseUrl: 'postgres://none',
      redisUrl: 'redis://none',
      keysDir: '/none',
      storageRoot: '/none',
    });
    const committed = readFileSync(join(packageDir('@rahatback/api-client'), 'openapi.json'), 'utf8');
    // stale: build, then node apps/api/dist/openapi.js libs/api-client/openapi.json && node tools/openapi/generate-client.ts
    expect(JSON.parse(await exportDocument(AppModule.forRoot({ config })))).toEqual(JSON.parse(committed));
  });

  it('has the answers that the controllers have', () => {
    const tool = join(packageDir('@rahatback/api'), '../../tools/openapi/answer-schemas.ts');
    expect(() => execFileSync(process.execPath, [tool, '--check'], { stdio: 'pipe' })).not.toThrow();
  }, 120_000);
});
