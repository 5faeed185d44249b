import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AppModule } from '../../app.module.js';
import { testConfig } from '../../testing/test-config.js';
import { exportDocument } from './export-document.js';

const packageDir = (name: string): string =>
  dirname(createRequire(join(process.cwd(), 'package.json')).resolve(`${name}/package.json`));

interface OpenApi {
  readonly components: { readonly schemas: Readonly<Record<string, { readonly properties?: Record<string, unknown> }>> };
}

describe('the OpenAPI document', () => {
  const config = testConfig({ databaseUrl: 'postgres://none', redisUrl: 'redis://none', keysDir: '/none', storageRoot: '/none' });
  let document: OpenApi;
  beforeAll(async () => {
    document = JSON.parse(await exportDocument(AppModule.forRoot({ config }))) as OpenApi;
  });

  it('has every schema that it refers to', () => {
    const refs = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? '');
    expect(refs.length).toBeGreaterThan(100);
    expect(refs.filter((name) => document.components.schemas[name] === undefined)).toEqual([]);
  });

  it('describes nested DTOs and lists of them by their own schema', () => {
    const { selection, sealedKey } = document.components.schemas['RestoreDto']?.properties ?? {};
    expect(selection).toEqual({ type: 'array', maxItems: 1000, items: { $ref: '#/components/schemas/RestoreSelectionDto' } });
    expect(sealedKey).toEqual({ $ref: '#/components/schemas/SealedKeyDto' });
    expect(document.components.schemas['RestoreSelectionDto']).toEqual({
      type: 'object',
      properties: {
        schema: { type: 'string', minLength: 1, maxLength: 63 },
        table: { type: 'string', minLength: 1, maxLength: 63 },
      },
      required: ['schema'],
    });
  });

  it('is the one that the client is generated from, and needs no server to be made', () => {
    const committed = readFileSync(join(packageDir('@rahatback/api-client'), 'openapi.json'), 'utf8');
    // stale: build, then node apps/api/dist/openapi.js libs/api-client/openapi.json && node tools/openapi/generate-client.ts
    expect(document).toEqual(JSON.parse(committed));
  });

  it('has the answers that the controllers have', () => {
    const tool = join(packageDir('@rahatback/api'), '../../tools/openapi/answer-schemas.ts');
    expect(() => execFileSync(process.execPath, [tool, '--check'], { stdio: 'pipe' })).not.toThrow();
  }, 120_000);
});
