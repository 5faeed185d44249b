import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';
import { ENVIRONMENT_FILES, EVERYTHING, PROJECTS, TEST_FILES } from './tools/lint/architecture.mjs';
import { architecturePlugin } from './tools/lint/plugin.mjs';

const SOURCES = ['**/*.{ts,tsx,mts}'];
const CONFIG_FILES = ['**/*.config.{ts,mjs,js}'];
const COMMON_TAGS = { any: ['runtime:any'], node: ['runtime:any', 'runtime:node'], browser: ['runtime:any', 'runtime:browser'] };

const scopeConstraints = Object.entries(PROJECTS).map(([name, { mayImport }]) => ({
  sourceTag: `scope:${name}`,
  onlyDependOnLibsWithTags: mayImport.map((imported) => `scope:${imported}`),
}));
/** Browser code stays out of Node projects and reverse; the test harness (which may import anything) drives both. */
const runtimeConstraints = Object.entries(PROJECTS)
  .filter(([, { mayImport }]) => mayImport !== EVERYTHING)
  .map(([name, { runtime }]) => ({ sourceTag: `scope:${name}`, onlyDependOnLibsWithTags: COMMON_TAGS[runtime] }));

const BANNED_PROPERTIES = [
  { object: 'Math', property: 'random', message: 'Use node:crypto: randomInt, randomBytes, randomUUID (tests: seededRandom).' },
];
const ENVIRONMENT_MESSAGE = 'Read the environment in the config file only: add the value to the config schema and inject it.';

const BANNED_SYNTAX = [
  {
    selector:
      'Property[key.name="rejectUnauthorized"][value.value=false], Property[key.value="rejectUnauthorized"][value.value=false]',
    message: 'Never switch certificate checks off: give the connection its CA.',
  },
  {
    selector: 'Literal[value="NODE_TLS_REJECT_UNAUTHORIZED"]',
    message: 'Never switch certificate checks off: give the connection its CA.',
  },
  { selector: 'TSEnumDeclaration', message: 'Use a union of strings.' },
  { selector: 'Property[key.name="shell"][value.value=true]', message: 'No shell: pass the program and its arguments.' },
  {
    selector: ':function[params.length>4]:not(MethodDefinition[kind="constructor"] > FunctionExpression)',
    message: 'At most 4 parameters: pass an object.',
  },
  {
    selector: 'MethodDefinition[kind="constructor"] > FunctionExpression[params.length>7]',
    message: 'At most 7 dependencies: split the class by verb.',
  },
];
const BANNED_PIPE = {
  selector: 'CallExpression[callee.property.name="pipe"]',
  message: 'A bare .pipe() loses errors: use pipeline of node:stream/promises.',
};
const BANNED_ONLY = {
  selector: 'MemberExpression[object.name=/^(it|test|describe)$/][property.name="only"]',
  message: 'Run the whole file: .only hides the other tests.',
};

/** ESLint counts `?.` and `??` as branches too; an exhaustive switch counts as one. */
const COMPLEXITY = ['error', { max: 14, variant: 'modified' }];

/** What every TypeScript file obeys. */
const strictness = {
  '@typescript-eslint/no-explicit-any': 'error',
  '@typescript-eslint/no-non-null-assertion': 'error',
  '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
  '@typescript-eslint/no-misused-promises': 'error',
  '@typescript-eslint/switch-exhaustiveness-check': [
    'error',
    { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
  ],
  '@typescript-eslint/return-await': ['error', 'in-try-catch'],
  '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
  '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
  '@typescript-eslint/no-deprecated': 'error',
  // An async method without await fulfils an interface, and turns its throws into rejections.
  '@typescript-eslint/require-await': 'off',
  // SWC erases a type import, and Nest then cannot inject the class: never ask for type imports.
  '@typescript-eslint/consistent-type-imports': 'off',
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  // Names and paths from outside are searched for control characters: that is what such a pattern is for.
  'no-control-regex': 'off',
  complexity: COMPLEXITY,
  'max-lines': ['error', 400],
  'max-lines-per-function': ['error', { max: 50, skipBlankLines: true, skipComments: true, IIFEs: true }],
  'no-console': 'error',
  'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'], location: 'anywhere' }],
  'no-restricted-syntax': ['error', ...BANNED_SYNTAX],
  'no-restricted-properties': [
    'error',
    ...BANNED_PROPERTIES,
    { object: 'process', property: 'env', message: ENVIRONMENT_MESSAGE },
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: ['process', 'node:process'].map((name) => ({ name, importNames: ['env', 'default'], message: ENVIRONMENT_MESSAGE })),
    },
  ],
};

export default tseslint.config(
  {
    ignores: [
      '**/dist',
      '**/node_modules',
      '**/.nx',
      '**/.next',
      '**/.cache',
      '**/coverage',
      '.demo',
      'docs',
      'libs/api-client/src/generated',
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error', noInlineConfig: true } },
  {
    files: SOURCES,
    extends: [...tseslint.configs.recommendedTypeChecked],
    plugins: { '@nx': nx, 'import-x': importX, rahatback: architecturePlugin },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      'import-x/resolver-next': [
        createNodeResolver({
          extensions: ['.ts', '.tsx', '.js'],
          extensionAlias: { '.js': ['.ts', '.tsx', '.js'] },
          conditionNames: ['@rahatback/source', 'import', 'node', 'default'],
        }),
      ],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx', '.mts'] },
    },
    rules: {
      ...strictness,
      'rahatback/project-imports': 'error',
      'rahatback/package-home': 'error',
      'rahatback/module-direction': 'error',
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-default-export': 'error',
      '@nx/enforce-module-boundaries': ['error', { depConstraints: [...scopeConstraints, ...runtimeConstraints] }],
    },
  },
  {
    files: ENVIRONMENT_FILES,
    rules: { 'no-restricted-properties': ['error', ...BANNED_PROPERTIES], 'no-restricted-imports': 'off' },
  },
  {
    files: ['libs/**/*.ts', 'apps/agent/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...BANNED_SYNTAX, BANNED_PIPE] },
  },
  {
    files: TEST_FILES,
    rules: {
      'max-lines': ['error', 600],
      'max-lines-per-function': 'off',
      'no-restricted-properties': ['error', ...BANNED_PROPERTIES],
      'no-restricted-imports': 'off',
      'no-restricted-syntax': ['error', ...BANNED_SYNTAX, BANNED_ONLY],
      // libs/testing depends on the libs that it serves: to Nx every test would be a cycle. rahatback/project-imports holds tests to the table.
      '@nx/enforce-module-boundaries': 'off',
      // Bodies of HTTP answers and expect's own matchers are any.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.{mjs,js}'],
    rules: { complexity: COMPLEXITY, 'max-lines': ['error', 400], 'no-warning-comments': strictness['no-warning-comments'] },
  },
  {
    files: CONFIG_FILES,
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { projectService: false } },
    rules: { 'import-x/no-default-export': 'off', '@nx/enforce-module-boundaries': 'off' },
  },
  prettier,
);
