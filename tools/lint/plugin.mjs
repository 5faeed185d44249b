import { matchesGlob, posix, relative, resolve, sep } from 'node:path';
import { ENTRIES, EVERYTHING, LISTENING_MODULES, MODULE_LAYERS, PACKAGE_HOMES, PROJECTS, TEST_FILES } from './architecture.mjs';

const WORKSPACE = resolve(import.meta.dirname, '../..');
const SCOPE = '@rahatback/';
const API_SOURCE = 'apps/api/src/';

const matchesAny = (file, globs) => globs.some((glob) => matchesGlob(file, glob));
const isTest = (file) => matchesAny(file, TEST_FILES);
const isInside = (file, folder) => file === folder || file.startsWith(`${folder}/`);
const projectOf = (file) => Object.keys(PROJECTS).find((name) => isInside(file, PROJECTS[name].folder));

/** Calls `check({file, specifier, target})` for every import, re-export, dynamic import, require and type import of a file. */
function importVisitor(context, check) {
  const file = relative(WORKSPACE, context.filename).split(sep).join('/');
  const see = (node, source) => {
    if (typeof source?.value !== 'string') return;
    const target = source.value.startsWith('.') ? posix.join(posix.dirname(file), source.value) : undefined;
    const message = check({ file, specifier: source.value, target });
    if (message) context.report({ node, message });
  };
  return {
    ImportDeclaration: (node) => see(node, node.source),
    ExportNamedDeclaration: (node) => see(node, node.source),
    ExportAllDeclaration: (node) => see(node, node.source),
    ImportExpression: (node) => see(node, node.source),
    TSImportType: (node) => see(node, node.source),
    TSExternalModuleReference: (node) => see(node, node.expression),
    'CallExpression[callee.name="require"]': (node) => see(node, node.arguments[0]),
  };
}

const importRule = (description, check) => ({
  meta: { type: 'problem', docs: { description }, schema: [] },
  create: (context) => importVisitor(context, check),
});

function checkTable(importer, imported, specifier) {
  const { mayImport } = PROJECTS[importer];
  if (!mayImport.includes(imported)) {
    return `${importer} may import ${mayImport.join(', ') || 'nothing of ours'}, not ${imported} (docs/ARCHITECTURE.md).`;
  }
  const onlyEntry = ENTRIES[importer]?.[imported];
  return onlyEntry && specifier !== onlyEntry ? `${importer} may import ${onlyEntry} only, not "${specifier}".` : undefined;
}

function checkPackage(file, importer, specifier) {
  const [imported, folder] = specifier.slice(SCOPE.length).split('/');
  if (imported === importer) return `${importer} imports itself by its package name: use a relative path.`;
  if (folder === 'src' || folder === 'dist') return `"${specifier}" reaches into a project: import what its package exports.`;
  return imported === 'testing' && isTest(file) ? undefined : checkTable(importer, imported, specifier);
}

function checkRelative(file, importer, { specifier, target }) {
  const { folder, mayImport } = PROJECTS[importer];
  if (!isInside(target, folder)) return `"${specifier}" leaves ${folder}: import the other project by its package name.`;
  const isProduct = mayImport !== EVERYTHING && !isTest(file);
  return isProduct && isTest(target.replace(/\.js$/, '.ts'))
    ? `"${specifier}" is for tests: product code may not import it.`
    : undefined;
}

function checkProject({ file, specifier, target }) {
  const importer = projectOf(file);
  if (!importer) return undefined;
  if (target !== undefined) return checkRelative(file, importer, { specifier, target });
  return specifier.startsWith(SCOPE) ? checkPackage(file, importer, specifier) : undefined;
}

function checkPackageHome({ file, specifier }) {
  const home = PACKAGE_HOMES.find(({ packages }) => packages.test(specifier));
  if (!home || isTest(file) || matchesAny(file, home.files)) return undefined;
  return `${home.name} belongs into ${home.files.join(', ')}: ${home.instead}.`;
}

const layerOf = (module) => MODULE_LAYERS.findIndex((layer) => layer.includes(module));
const homeless = (module) => `The module ${module} has no place in MODULE_LAYERS of tools/lint/architecture.mjs: give it one.`;

function checkModulePair(from, to) {
  if (LISTENING_MODULES.includes(to)) return `Nobody imports ${to}: it listens to events. Emit one.`;
  if (layerOf(to) === -1) return homeless(to);
  if (LISTENING_MODULES.includes(from)) return undefined;
  if (layerOf(from) === -1) return homeless(from);
  if (layerOf(to) <= layerOf(from)) return undefined;
  return `Modules point one way: ${from} may not import ${to}. Emit an event, or let ${to} import ${from}.`;
}

/** `modules/jobs/dto/x.js` of the API's source is area modules, name jobs, inside dto/x.js. */
function apiPlace(path) {
  if (!path?.startsWith(API_SOURCE)) return undefined;
  const [area, name, ...inside] = path.slice(API_SOURCE.length).split('/');
  return { area: area === 'platform' || area === 'modules' ? area : 'root', name, inside: inside.join('/') };
}

const MODULE_CHECKS = {
  root: () => undefined,
  platform(_from, to) {
    return to.area === 'modules'
      ? 'platform never imports modules: let the module register itself with the platform.'
      : undefined;
  },
  modules(from, to, specifier) {
    if (to.area === 'platform' || to.name === from.name) return undefined;
    return to.inside === 'index.js'
      ? checkModulePair(from.name, to.name)
      : `Import the module ${to.name} by its index.js, not "${specifier}".`;
  },
};

function checkModule({ file, specifier, target }) {
  const from = apiPlace(file);
  const to = apiPlace(target);
  if (!from || !to || isTest(file)) return undefined;
  if (from.area !== 'root' && to.area === 'root') {
    return `"${specifier}" is the root of the program: it imports modules and platform, never the reverse.`;
  }
  return MODULE_CHECKS[from.area](from, to, specifier);
}

export const architecturePlugin = {
  meta: { name: 'rahatback' },
  rules: {
    'project-imports': importRule('projects import each other as the import table says', checkProject),
    'package-home': importRule('some packages are imported in their home only', checkPackageHome),
    'module-direction': importRule('the modules of the API point one way', checkModule),
  },
};
