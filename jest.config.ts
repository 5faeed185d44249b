import type { Config } from 'jest';

const swc = (parser: object) => [
  '@swc/jest',
  {
    swcrc: false,
    jsc: {
      target: 'es2023',
      parser,
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      keepClassNames: true,
    },
    module: { type: 'commonjs' },
    sourceMaps: 'inline',
  },
];

/** Unit tests end in .spec.ts, tests on real servers in .int-spec.ts, whole-system tests in .e2e-spec.ts. */
const config: Config = {
  testEnvironment: 'node',
  rootDir: '.',
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/tools'],
  testMatch: ['**/{src,tools}/**/*.spec.ts', '**/src/**/*.int-spec.ts', '**/src/**/*.e2e-spec.ts'],
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/.*/\\.next/'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testEnvironmentOptions: { customExportConditions: ['@rahatback/source', 'node', 'require', 'default'] },
  transform: {
    '^.+\\.ts$': swc({ syntax: 'typescript', decorators: true }) as never,
    '^.+\\.m?js$': swc({ syntax: 'ecmascript' }) as never,
  },
  transformIgnorePatterns: [],
  testTimeout: 90_000,
};
export default config;
