/**
 * Generates libs/api-client/src/generated from libs/api-client/openapi.json. `node tools/openapi/generate-client.ts [--check]`; --check compares and exits 1 when stale.
 * openapi.json itself comes from the API: `node apps/api/dist/openapi.js libs/api-client/openapi.json` after a build.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@hey-api/openapi-ts';
import { format, resolveConfig } from 'prettier';

const project = join(import.meta.dirname, '../../libs/api-client');
const committed = join(project, 'src', 'generated');

async function generate(path: string): Promise<void> {
  await createClient({
    input: join(project, 'openapi.json'),
    output: { path, clean: true, module: { extension: '.js' }, tsConfigPath: null },
    plugins: ['@hey-api/typescript', '@hey-api/sdk', { name: '@hey-api/client-fetch', throwOnError: false }],
    logs: { level: 'silent', file: false },
  });
  // `BodyInit` is a global of the DOM library only; the same type under a name that Node's types have too.
  const file = join(path, 'client', 'client.gen.ts');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/\bBodyInit\b/g, "NonNullable<RequestInit['body']>"));
}

const filesOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  );

if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'rahatback-client-'));
  try {
    await generate(fresh);
    if (JSON.stringify(filesOf(fresh)) !== JSON.stringify(filesOf(committed))) {
      process.stderr.write('libs/api-client/src/generated is stale. Run: node tools/openapi/generate-client.ts\n');
      process.exitCode = 1;
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
} else {
  const document = join(project, 'openapi.json');
  writeFileSync(document, await format(readFileSync(document, 'utf8'), { ...(await resolveConfig(document)), parser: 'json' }));
  await generate(committed);
}
