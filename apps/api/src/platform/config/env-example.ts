import { CONFIG_VARIABLES } from './config-variables.js';

/** The text of `.env.example`: required variables set to an example, the others commented out at their default. */
export function renderEnvExample(): string {
  const blocks = Object.values(CONFIG_VARIABLES).map(
    (variable) => `# ${variable.about}\n${variable.required ? '' : '# '}${variable.env}=${variable.example}\n`,
  );
  return `# Made from apps/api/src/platform/config/config-variables.ts; a test holds both equal.\n\n${blocks.join('\n')}`;
}
