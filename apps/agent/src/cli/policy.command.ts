import type { Command } from 'commander';
import { POLICY_RULES, readPolicy, setPolicyRule, type AgentPolicy } from '../state/policy.js';
import { print, printJson, type CliContext } from './cli-context.js';

function show(context: CliContext, policy: AgentPolicy, asJson: boolean): void {
  if (asJson) {
    printJson(context, policy);
    return;
  }
  for (const { key, name, meaning } of POLICY_RULES) {
    print(context, `  ${policy[key] ? 'allowed' : 'denied '}  ${name.padEnd(18)} the server may order to ${meaning}`);
  }
}

export function addPolicyCommand(program: Command, context: CliContext): void {
  const policy = program.command('policy').description('what the server may order on this machine; only this command changes it');
  policy
    .command('show')
    .description('show the rules')
    .option('--json', 'print one line of JSON')
    .action(async (options: { readonly json?: boolean }) => show(context, await readPolicy(context.home), options.json === true));
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
