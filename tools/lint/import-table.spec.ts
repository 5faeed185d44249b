import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { lintPlanted, type Finding, type PlantedProject } from './planted-workspace.js';

const ROOT = resolve(__dirname, '../..');
const ANYTHING =
  'contracts crypto storage backup-core api-client ui instances api agent agent-desktop console installer-ui testing'.split(' ');

interface Row extends PlantedProject {
  readonly mayImport: readonly string[];
}

const row = (folder: string, runtime: string, mayImport: readonly string[]): Row => ({
  name: folder.slice(folder.indexOf('/') + 1),
  folder,
  runtime,
  mayImport,
});

/** The import table of the design, written down a second time on purpose: the rules are held against it. */
const TABLE: readonly Row[] = [
  row('libs/contracts', 'any', []),
  row('libs/crypto', 'any', []),
  row('libs/storage', 'node', ['contracts']),
  row('libs/backup-core', 'node', ['contracts', 'crypto', 'storage']),
  row('libs/api-client', 'any', ['contracts']),
  row('libs/ui', 'browser', ['contracts']),
  row('libs/instances', 'node', ['contracts', 'crypto', 'backup-core']),
  row('apps/api', 'node', ['contracts', 'crypto', 'storage', 'backup-core']),
  row('apps/agent', 'node', ['contracts', 'crypto', 'storage', 'backup-core', 'instances', 'api-client']),
  row('apps/agent-desktop', 'browser', ['contracts', 'ui']),
  row('apps/console', 'browser', ['contracts', 'crypto', 'api-client', 'ui']),
  row('apps/installer-ui', 'browser', ['contracts', 'api-client', 'ui']),
  row('libs/testing', 'node', ANYTHING),
  row('apps/e2e', 'node', ANYTHING),
];

const specifierOf = (importer: Row, imported: Row): string =>
  `@rahatback/${imported.name}${importer.name === 'console' && imported.name === 'crypto' ? '/browser' : ''}`;
const pathOf = (importer: Row, imported: Row, suffix: string): string =>
  `${importer.folder}/src/imports-${imported.name}${suffix}`;
const PAIRS = TABLE.flatMap((importer) =>
  TABLE.filter((imported) => imported !== importer).map((imported) => ({ importer, imported })),
);

describe('the import table', () => {
  let findings: Map<string, readonly Finding[]>;
  beforeAll(async () => {
    const files = new Map<string, string>();
    for (const { importer, imported } of PAIRS) {
      const source = `export * from '${specifierOf(importer, imported)}';\n`;
      files.set(pathOf(importer, imported, '.ts'), source);
      files.set(pathOf(importer, imported, '.spec.ts'), source);
    }
    findings = await lintPlanted(ROOT, TABLE, files);
  }, 120_000);

  const rulesAt = (path: string): (string | null)[] | undefined =>
    findings
      .get(path)
      ?.map(({ ruleId }) => ruleId)
      .sort();

  it.each(TABLE.map(({ name, mayImport }) => [name, mayImport.join(', ') || 'nothing of ours']))('%s may import %s', (name) => {
    for (const { importer, imported } of PAIRS.filter((pair) => pair.importer.name === name)) {
      const allowed = importer.mayImport.includes(imported.name);
      const expected = allowed ? [] : ['@nx/enforce-module-boundaries', 'rahatback/project-imports'];
      expect({ imports: imported.name, rules: rulesAt(pathOf(importer, imported, '.ts')) }).toEqual({
        imports: imported.name,
        rules: expected,
      });
    }
  });

  it('holds tests to the same table, plus testing', () => {
    for (const { importer, imported } of PAIRS) {
      const allowed = imported.name === 'testing' || importer.mayImport.includes(imported.name);
      const path = pathOf(importer, imported, '.spec.ts');
      expect({ path, rules: rulesAt(path) }).toEqual({ path, rules: allowed ? [] : ['rahatback/project-imports'] });
    }
  });

  it.each(TABLE.map(({ folder }) => folder).filter((folder) => existsSync(join(ROOT, folder))))(
    '%s carries its tags',
    (folder) => {
      const { nx } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as { nx: { tags: string[] } };
      const wanted = TABLE.find((project) => project.folder === folder);
      expect(nx.tags).toEqual([`scope:${wanted?.name ?? ''}`, `runtime:${wanted?.runtime ?? ''}`]);
    },
  );
});
