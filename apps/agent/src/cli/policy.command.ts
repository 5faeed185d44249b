import type { Command } from 'commander';
import {
  allowFolder,
  denyFolder,
  POLICY_RULES,
  readPolicy,
  setExportFolder,
  setPolicyRule,
  type AgentPolicy,
} from '../state/policy.js';
import { print, printJson, type CliContext } from './cli-context.js';

function show(context: CliContext, policy: AgentPolicy, asJson: boolean): void {
  if (asJson) {
    printJson(context, policy);
    return;
  }
  for (const { key, name, meaning } of POLICY_RULES) {
    print(context, `  ${policy[key] ? 'allowed' : 'denied '}  ${name.padEnd(18)} the server may order to ${meaning}`);
  }
  for (const folder of [context.home.backupsDir, ...policy.storageFolders]) {
    print(context, `  allowed  storage-folder     backups may stand in ${folder}`);
  }
  print(context, `  allowed  export-folder      plain dumps are written into ${policy.exportFolder ?? context.home.exportsDir}`);
}

function addFolderCommands(policy: Command, context: CliContext): void {
  const change = async (change: () => Promise<AgentPolicy>): Promise<void> => {
    await context.home.ensure();
    show(context, await change(), false);
  };
  policy
    .command('allow-folder <folder>')
    .description('allow backups in a folder and below it, besides the own one')
    .action((folder: string) => change(() => allowFolder(context.home, folder)));
  policy
    .command('deny-folder <folder>')
    .description('take such a folder back; the files in it stay')
    .action((folder: string) => change(() => denyFolder(context.home, folder)));
  policy
    .command('export-folder [folder]')
    .description('where exports are written; without a folder: the own one')
    .action((folder?: string) => change(() => setExportFolder(context.home, folder ?? null)));
}

export function addPolicyCommand(program: Command, context: CliContext): void {
  const policy = program.command('policy').description('what the server may order on this machine; only this command changes it');
  policy
    .command('show')
    .description('show the rules')
    .option('--json', 'print one line of JSON')
    .action(async (options: { readonly json?: boolean }) => show(context, await readPolicy(context.home), options.json === true));
  addFolderCommands(policy, context);
  for (const { key, name, meaning } of POLICY_RULES) {
    for (const [verb, allowed] of [
      ['allow', true],
      ['deny', false],
    ] as const) {
      policy
        .command(`${verb}-${name}`)
        .description(`${verb} the server to ${meaning}`)
        .action(async () => {
          await context.home.ensure();
          show(context, await setPolicyRule(context.home, key, allowed), false);
        });
    }
  }
}
