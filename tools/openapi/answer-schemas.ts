/**
 * Writes what controllers answer as JSON schemas: TypeScript interfaces do not exist at run time, so they are read from the sources here and the
 * result is committed. `node tools/openapi/answer-schemas.ts [--check]`; --check fails when the committed file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

type Schema = Record<string, unknown>;

const root = join(import.meta.dirname, '../..');
const output = join(root, 'apps/api/src/platform/openapi/answer-schemas.ts');
const HTTP_DECORATORS = new Set(['Get', 'Post', 'Put', 'Patch', 'Delete']);

const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config as object;
const parsed = ts.parseJsonConfigFileContent({ ...config, include: ['apps/api/src/**/*.controller.ts'] }, ts.sys, root);
const program = ts.createProgram(parsed.fileNames, { ...parsed.options, incremental: false, tsBuildInfoFile: undefined });
const checker = program.getTypeChecker();
const schemas: Record<string, Schema> = {};

const decoratorNames = (node: ts.HasDecorators): string[] =>
  (ts.getDecorators(node) ?? []).map(({ expression }) =>
    (ts.isCallExpression(expression) ? expression.expression : expression).getText(),
  );

/** `Page<AgentView>` becomes AgentViewPage; unnamed types have no name and are written in place. */
function nameOf(type: ts.Type): string | undefined {
  const symbol = type.aliasSymbol ?? type.getSymbol();
  if (!symbol || symbol.name.startsWith('__') || symbol.name === 'Array' || symbol.name === 'Record') return undefined;
  const parts = type.aliasTypeArguments ?? checker.getTypeArguments(type as ts.TypeReference);
  return `${parts.map((part) => nameOf(part) ?? '').join('')}${symbol.name}`;
}

function unionSchema(type: ts.UnionType): Schema {
  const isNothing = (part: ts.Type): boolean => (part.flags & (ts.TypeFlags.Null | ts.TypeFlags.Undefined)) !== 0;
  const nullable = type.types.some((part) => (part.flags & ts.TypeFlags.Null) !== 0) ? { nullable: true } : {};
  const parts = type.types.filter((part) => !isNothing(part));
  if (parts.every((part) => part.isStringLiteral()))
    return { type: 'string', enum: parts.map((part) => part.value), ...nullable };
  if (parts.every((part) => (part.flags & ts.TypeFlags.BooleanLike) !== 0)) return { type: 'boolean', ...nullable };
  const [only] = parts;
  if (parts.length !== 1 || !only) return { oneOf: parts.map((part) => schemaOf(part)), ...nullable };
  const schema = schemaOf(only);
  if (Object.keys(nullable).length === 0) return schema;
  return '$ref' in schema ? { allOf: [schema], ...nullable } : { ...schema, ...nullable };
}

function objectSchema(type: ts.Type): Schema {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const property of type.getProperties()) {
    properties[property.name] = schemaOf(checker.getTypeOfSymbol(property));
    if ((property.flags & ts.SymbolFlags.Optional) === 0) required.push(property.name);
  }
  const index = checker.getIndexInfoOfType(type, ts.IndexKind.String);
  return {
    type: 'object',
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required } : {}),
    ...(index ? { additionalProperties: true } : {}),
  };
}

function schemaOf(type: ts.Type): Schema {
  if (type.flags & ts.TypeFlags.StringLiteral) return { type: 'string', enum: [(type as ts.StringLiteralType).value] };
  if (type.flags & ts.TypeFlags.BooleanLiteral) return { type: 'boolean', enum: [checker.typeToString(type) === 'true'] };
  if (type.flags & ts.TypeFlags.StringLike) return { type: 'string' };
  if (type.flags & ts.TypeFlags.NumberLike) return { type: 'number' };
  if (type.flags & ts.TypeFlags.BooleanLike) return { type: 'boolean' };
  if (type.flags & (ts.TypeFlags.Unknown | ts.TypeFlags.Any)) return {};
  if (type.isUnion()) return unionSchema(type);
  if (checker.isArrayType(type))
    return { type: 'array', items: schemaOf(checker.getTypeArguments(type as ts.TypeReference)[0] ?? checker.getAnyType()) };
  const name = nameOf(type);
  if (name === undefined) return objectSchema(type);
  if (!schemas[name]) {
    schemas[name] = {}; // ends recursion
    schemas[name] = objectSchema(type);
  }
  return { $ref: `#/components/schemas/${name}` };
}

function answerOf(method: ts.MethodDeclaration): Schema | undefined {
  const signature = checker.getSignatureFromDeclaration(method);
  if (!signature) return undefined;
  const declared = signature.getReturnType();
  const type = checker.getAwaitedType(declared) ?? declared;
  return type.flags & (ts.TypeFlags.Void | ts.TypeFlags.Undefined) ? undefined : schemaOf(type);
}

const answers: Record<string, Schema> = {};
for (const file of program.getSourceFiles().filter(({ fileName }) => fileName.endsWith('.controller.ts'))) {
  ts.forEachChild(file, (node) => {
    if (!ts.isClassDeclaration(node) || !decoratorNames(node).includes('Controller')) return;
    for (const member of node.members) {
      if (!ts.isMethodDeclaration(member) || !decoratorNames(member).some((name) => HTTP_DECORATORS.has(name))) continue;
      const answer = answerOf(member);
      if (answer) answers[`${node.name?.text}.${member.name.getText()}`] = answer;
    }
  });
}

/** One JSON text per line: the file stays short, and a change shows as one line. */
const record = (name: string, about: string, schemasByName: Record<string, Schema>): string => {
  const lines = Object.entries(schemasByName)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, schema]) => `  '${key}': '${JSON.stringify(schema)}',`);
  return `/** ${about} */\nexport const ${name}: Readonly<Record<string, string>> = {\n${lines.join('\n')}\n};\n`;
};
const source = [
  '// Written by tools/openapi/answer-schemas.ts from the controllers and libs/contracts; a test holds it fresh.\n',
  record('ANSWERS', 'JSON schema of what a controller method answers, by `Class.method`.', answers),
  record('SCHEMAS', 'JSON schemas that the answers refer to, by name.', schemas),
].join('\n');
const text = await format(source, { ...(await resolveConfig(output)), parser: 'typescript' });
if (!process.argv.includes('--check')) writeFileSync(output, text);
else if (readFileSync(output, 'utf8') !== text) {
  process.stderr.write('apps/api/src/platform/openapi/answer-schemas.ts is stale. Run: node tools/openapi/answer-schemas.ts\n');
  process.exit(1);
}
