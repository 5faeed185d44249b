import { resolve } from 'node:path';
import { lintPlanted, type Finding, type PlantedProject } from './planted-workspace.js';

const ROOT = resolve(__dirname, '../..');
const PROJECTS: readonly PlantedProject[] = [
  { name: 'api', folder: 'apps/api', runtime: 'node' },
  { name: 'agent', folder: 'apps/agent', runtime: 'node' },
  { name: 'console', folder: 'apps/console', runtime: 'browser' },
  { name: 'contracts', folder: 'libs/contracts', runtime: 'any' },
  { name: 'crypto', folder: 'libs/crypto', runtime: 'any' },
  { name: 'storage', folder: 'libs/storage', runtime: 'node' },
  { name: 'backup-core', folder: 'libs/backup-core', runtime: 'node' },
  { name: 'api-client', folder: 'libs/api-client', runtime: 'any' },
  { name: 'testing', folder: 'libs/testing', runtime: 'node' },
];

/** A file, its source, and the one rule that must fire there (none: the file is right). */
interface Plant {
  readonly path: string;
  readonly source: string;
  readonly rule?: string;
}

const MODULES = 'apps/api/src/modules';
const HOME = 'rahatback/package-home';
const DIRECTION = 'rahatback/module-direction';
const PROJECT = 'rahatback/project-imports';
const NX = '@nx/enforce-module-boundaries';
const SYNTAX = 'no-restricted-syntax';
const reExport = (specifier: string): string => `export * from '${specifier}';\n`;
const imports = (path: string, specifier: string, rule?: string): Plant => ({ path, source: reExport(specifier), rule });
const code = (name: string, source: string, rule?: string): Plant => ({ path: `libs/storage/src/${name}.ts`, source, rule });
const lines = (count: number): string => 'export {};\n'.repeat(count);
const functionOf = (count: number): string => `export function long(): void {\n${'  [].at(0);\n'.repeat(count - 2)}}\n`;

const PACKAGES: readonly Plant[] = [
  imports(`${MODULES}/jobs/typeorm.service.ts`, 'typeorm', HOME),
  imports(`${MODULES}/jobs/nest-typeorm.service.ts`, '@nestjs/typeorm', HOME),
  imports(`${MODULES}/jobs/jobs.repository.ts`, 'typeorm'),
  imports(`${MODULES}/jobs/jobs.entity.ts`, 'typeorm'),
  imports('apps/api/src/migrations/1-first.ts', 'typeorm'),
  imports('apps/api/src/platform/database/transaction.ts', 'typeorm'),
  imports('apps/api/src/platform/events/typeorm.ts', 'typeorm', HOME),
  imports(`${MODULES}/jobs/bullmq.service.ts`, 'bullmq', HOME),
  imports(`${MODULES}/jobs/nest-bullmq.controller.ts`, '@nestjs/bullmq', HOME),
  imports(`${MODULES}/jobs/jobs-queue.ts`, 'bullmq'),
  imports(`${MODULES}/jobs/jobs.processor.ts`, 'bullmq'),
  imports('apps/api/src/platform/queues/connection.ts', 'bullmq'),
  imports(`${MODULES}/jobs/socket.service.ts`, 'socket.io', HOME),
  imports(`${MODULES}/jobs/adapter.service.ts`, '@socket.io/redis-adapter', HOME),
  imports(`${MODULES}/jobs/jobs.gateway.ts`, '@nestjs/websockets', HOME),
  imports('apps/agent/src/link.ts', 'socket.io-client', HOME),
  imports('apps/api/src/platform/realtime/gateway.ts', 'socket.io'),
  imports('libs/api-client/src/socket.ts', 'socket.io-client'),
  imports(`${MODULES}/jobs/jobs.int-spec.ts`, 'typeorm'),
];

const DIRECTIONS: readonly Plant[] = [
  imports('apps/api/src/platform/health/health.ts', '../../modules/jobs/index.js', DIRECTION),
  imports('apps/api/src/platform/health/root.ts', '../../app.module.js', DIRECTION),
  imports(`${MODULES}/jobs/root.ts`, '../../app.module.js', DIRECTION),
  imports(`${MODULES}/jobs/platform.ts`, '../../platform/health/health.js'),
  imports(`${MODULES}/jobs/inside.ts`, '../databases/databases.service.js', DIRECTION),
  imports(`${MODULES}/jobs/earlier.ts`, '../databases/index.js'),
  imports(`${MODULES}/jobs/same-layer.ts`, '../backups/index.js'),
  imports(`${MODULES}/jobs/later.ts`, '../restore/index.js', DIRECTION),
  imports(`${MODULES}/auth/later.ts`, '../agents/index.js', DIRECTION),
  imports(`${MODULES}/storages/later.ts`, '../databases/index.js', DIRECTION),
  imports(`${MODULES}/databases/later.ts`, '../jobs/index.js', DIRECTION),
  imports(`${MODULES}/restore/later.ts`, '../upgrades/index.js', DIRECTION),
  imports(`${MODULES}/jobs/notifies.ts`, '../notifications/index.js', DIRECTION),
  imports(`${MODULES}/upgrades/messages.ts`, '../messaging/index.js', DIRECTION),
  imports(`${MODULES}/messaging/listens.ts`, '../backups/index.js'),
  imports(`${MODULES}/jobs/unknown.ts`, '../common/index.js', DIRECTION),
  { path: `${MODULES}/jobs/lazy.ts`, source: "export const lazy = import('../restore/index.js');\n", rule: DIRECTION },
  { path: `${MODULES}/jobs/type.ts`, source: "export type Lazy = import('../restore/index.js').Restore;\n", rule: DIRECTION },
];

const PROJECT_SEAMS: readonly Plant[] = [
  imports('apps/console/src/main-entry.ts', '@rahatback/crypto', PROJECT),
  imports('apps/console/src/browser-entry.ts', '@rahatback/crypto/browser'),
  imports('libs/backup-core/src/inside.ts', '@rahatback/storage/src/local.js', PROJECT),
  imports('apps/api/src/modules/jobs/scene.ts', './testing/jobs-scene.js', PROJECT),
  imports('apps/api/src/modules/jobs/testing/jobs-scene.ts', '@rahatback/testing'),
  imports('apps/api/src/modules/jobs/scene.spec.ts', './testing/jobs-scene.js'),
  imports('libs/backup-core/src/relative.spec.ts', '../../storage/src/index.js', PROJECT),
  {
    path: 'libs/storage/src/cycle-a.ts',
    source: "import { b } from './cycle-b.js';\nexport const a = (): number => b();\n",
    rule: 'import-x/no-cycle',
  },
  {
    path: 'libs/storage/src/cycle-b.ts',
    source: "import { a } from './cycle-a.js';\nexport const b = (): number => a();\n",
    rule: 'import-x/no-cycle',
  },
];

const ENVIRONMENT = 'export const home = process.env.HOME;\n';
const CODE: readonly Plant[] = [
  code('environment', ENVIRONMENT, 'no-restricted-properties'),
  code('environment-import', "import { env } from 'node:process';\nexport const home = env.HOME;\n", 'no-restricted-imports'),
  { path: 'apps/api/src/main.ts', source: ENVIRONMENT, rule: 'no-restricted-properties' },
  { path: 'apps/api/src/platform/config/config.ts', source: ENVIRONMENT },
  { path: 'apps/agent/src/config/config.ts', source: ENVIRONMENT },
  code('random', 'export const draw = (): number => Math.random();\n', 'no-restricted-properties'),
  {
    path: 'libs/testing/src/random.ts',
    source: 'export const draw = (): number => Math.random();\n',
    rule: 'no-restricted-properties',
  },
  code('tls', 'export const options = { rejectUnauthorized: false };\n', SYNTAX),
  code('tls-environment', "export const name = 'NODE_TLS_REJECT_UNAUTHORIZED';\n", SYNTAX),
  code('any', 'export const anything = (value: any): boolean => value === 1;\n', '@typescript-eslint/no-explicit-any'),
  code('non-null', 'export const first = (list: string[]): string => list[0]!;\n', '@typescript-eslint/no-non-null-assertion'),
  code('floating', 'export function start(): void {\n  Promise.resolve(1);\n}\n', '@typescript-eslint/no-floating-promises'),
  code(
    'floating-void',
    'export function start(): void {\n  void Promise.resolve(1);\n}\n',
    '@typescript-eslint/no-floating-promises',
  ),
  code(
    'switch',
    "export function say(status: 'on' | 'off'): string {\n  switch (status) {\n    case 'on':\n      return 'yes';\n  }\n  return 'no';\n}\n",
    '@typescript-eslint/switch-exhaustiveness-check',
  ),
  code('default-export', 'const value = 1;\nexport default value;\n', 'import-x/no-default-export'),
  code('enum', 'export enum Colour {\n  Red,\n}\n', SYNTAX),
  code('shell', 'export const options = { shell: true };\n', SYNTAX),
  code('pipe', 'export const join = (a: NodeJS.ReadableStream, b: NodeJS.WritableStream): unknown => a.pipe(b);\n', SYNTAX),
  code(
    'five-parameters',
    'export const sum = (a: number, b: number, c: number, d: number, e: number): number => a + b + c + d + e;\n',
    SYNTAX,
  ),
  code(
    'eight-dependencies',
    'export class Service {\n  constructor(a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1) {\n    [a, b, c, d, e, f, g, h].at(0);\n  }\n}\n',
    SYNTAX,
  ),
  code('complex', `export const pick = (n: number): number => ${'n > 1 ? n : '.repeat(14)}0;\n`, 'complexity'),
  code('almost-complex', `export const pick = (n: number): number => ${'n > 1 ? n : '.repeat(13)}0;\n`),
  code('console', "export const say = (): void => console.log('x');\n", 'no-console'),
  code('todo', `export const later = 1; // ${'TO'}DO\n`, 'no-warning-comments'),
  code('long-file', lines(401), 'max-lines'),
  code('full-file', lines(400)),
  code('long-file.spec', lines(601), 'max-lines'),
  code('full-file.spec', lines(600)),
  code('long-function', functionOf(51), 'max-lines-per-function'),
  code('full-function', functionOf(50)),
  code('long-function.spec', functionOf(51)),
  code('only.spec', "describe.only('x', () => undefined);\n", SYNTAX),
  // A value import of a class that is only a type here: Nest needs it as it is.
  code(
    'value-import',
    "import { Readable } from 'node:stream';\nexport const size = (stream: Readable): number => stream.readableLength;\n",
  ),
];

describe('planted violations', () => {
  const plants = [...PACKAGES, ...DIRECTIONS, ...PROJECT_SEAMS, ...CODE];
  let findings: Map<string, readonly Finding[]>;
  beforeAll(async () => {
    const extra = new Map([
      // Nx sees what the other rules also see here, and an inline comment may not silence anything.
      ['libs/backup-core/src/relative.ts', reExport('../../storage/src/index.js')],
      [
        'libs/storage/src/silenced.ts',
        '// eslint-disable-next-line no-console\nexport const say = (): void => console.log(1);\n',
      ],
      ['libs/backup-core/src/itself.ts', reExport('@rahatback/backup-core')],
      ['apps/api/src/modules/jobs/harness.ts', reExport('@rahatback/testing')],
    ]);
    const files = new Map([...plants.map(({ path, source }) => [path, source] as const), ...extra]);
    expect(files.size).toBe(plants.length + extra.size);
    findings = await lintPlanted(ROOT, PROJECTS, files);
  }, 120_000);

  const rulesAt = (path: string): (string | null)[] | undefined => findings.get(path)?.map(({ ruleId }) => ruleId);

  it.each(plants.map(({ path, rule }) => [path, rule ?? 'nothing', rule] as const))('%s: %s', (path, _name, rule) => {
    expect(rulesAt(path)).toEqual(rule === undefined ? [] : [rule]);
  });

  it.each([
    ['a relative import of another project', 'libs/backup-core/src/relative.ts'],
    ['an import of the project itself', 'libs/backup-core/src/itself.ts'],
    ['the test harness in product code', 'apps/api/src/modules/jobs/harness.ts'],
  ])('Nx and our own rule both see %s', (_name, path) => {
    expect(rulesAt(path)?.sort()).toEqual([NX, PROJECT]);
  });

  it('an inline comment silences nothing, and is itself a finding', () => {
    expect(findings.get('libs/storage/src/silenced.ts')).toEqual([
      expect.objectContaining({ ruleId: null, message: expect.stringContaining('noInlineConfig') }),
      expect.objectContaining({ ruleId: 'no-console' }),
    ]);
  });
});
