import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { tempDir } from '@rahatback/testing';

export interface PlantedProject {
  readonly name: string;
  readonly folder: string;
  readonly runtime: string;
}

export interface Finding {
  readonly ruleId: string | null;
  readonly message: string;
}

interface LintResult {
  readonly filePath: string;
  readonly messages: readonly Finding[];
}

const COPIED = ['eslint.config.mjs', 'nx.json', 'package.json', 'tsconfig.json', 'tsconfig.base.json', 'tools/lint'];

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

const manifestOf = ({ name, runtime }: PlantedProject): string =>
  JSON.stringify({
    name: `@rahatback/${name}`,
    version: '0.0.0',
    type: 'module',
    exports: { '.': './src/index.ts', './browser': './src/browser.ts' },
    nx: { name: `@rahatback/${name}`, tags: [`scope:${name}`, `runtime:${runtime}`] },
  });

/** The packages of the workspace, but our own names lead to the planted projects. */
async function linkPackages(root: string, workspace: string, projects: readonly PlantedProject[]): Promise<void> {
  await mkdir(join(workspace, 'node_modules', '@rahatback'), { recursive: true });
  for (const entry of await readdir(join(root, 'node_modules'))) {
    if (entry !== '@rahatback' && !entry.startsWith('.'))
      await symlink(join(root, 'node_modules', entry), join(workspace, 'node_modules', entry));
  }
  for (const { name, folder } of projects)
    await symlink(join(workspace, folder), join(workspace, 'node_modules', '@rahatback', name));
}

async function run(cwd: string, script: string, args: readonly string[]): Promise<string> {
  const env = {
    ...process.env,
    NX_DAEMON: 'false',
    NX_NO_CLOUD: 'true',
    NX_WORKSPACE_ROOT_PATH: cwd,
    NX_CACHE_PROJECT_GRAPH: 'true',
  };
  const child = spawn(process.execPath, [script, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  // ESLint answers 1 when it found something, 2 when it could not work.
  if (code !== 0 && code !== 1) throw new Error(`${script} ended with ${code}: ${stderr.slice(-2_000)}${stdout.slice(-2_000)}`);
  return stdout;
}

/**
 * Lints files in a copy of the workspace: our configuration, every project of the table (also the ones to come) as an empty shell, and the
 * given files. The real tree is not touched, and the copy is removed whatever happens.
 * @param root the workspace
 * @param files path in the workspace → source text
 * @returns findings by path; a file without findings has an empty list
 */
export async function lintPlanted(
  root: string,
  projects: readonly PlantedProject[],
  files: ReadonlyMap<string, string>,
): Promise<Map<string, readonly Finding[]>> {
  const workspace = await tempDir('rahatback-lint-');
  try {
    for (const path of COPIED) await cp(join(root, path), join(workspace.path, path), { recursive: true });
    await linkPackages(root, workspace.path, projects);
    for (const project of projects) {
      await write(join(workspace.path, project.folder, 'package.json'), manifestOf(project));
      await write(join(workspace.path, project.folder, 'src', 'index.ts'), 'export const shell = 1;\n');
    }
    for (const [path, source] of files) await write(join(workspace.path, path), source);
    await run(workspace.path, join(root, 'node_modules/nx/dist/bin/nx.js'), ['show', 'projects']);
    const json = await run(workspace.path, join(root, 'node_modules/eslint/bin/eslint.js'), [
      '--format',
      'json',
      ...files.keys(),
    ]);
    const results = JSON.parse(json) as LintResult[];
    return new Map(results.map(({ filePath, messages }) => [filePath.slice(workspace.path.length + 1), messages]));
  } finally {
    await workspace.remove();
  }
}
