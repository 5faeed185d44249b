import { AppError } from '@rahatback/contracts';
import { AppConfig } from './app-config.js';
import { CONFIG_VARIABLES } from './config-variables.js';
import type { ConfigVariable } from './config-variables.js';

/** `lines` has one line per bad variable; no line ever holds a value. */
export class ConfigError extends AppError {
  constructor(readonly lines: readonly string[]) {
    super('CONFIG_INVALID', `Set these variables right and start again:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads and checks the settings. An empty variable counts as not set.
 * @throws ConfigError naming every bad variable at once.
 */
export function loadConfig(environment: Readonly<Record<string, string | undefined>> = process.env): AppConfig {
  const lines: string[] = [];
  const fields: Record<string, unknown> = {};
  for (const [field, variable] of Object.entries(CONFIG_VARIABLES) as [string, ConfigVariable<unknown>][]) {
    const raw = environment[variable.env];
    const parsed = variable.schema.safeParse(raw === '' ? undefined : raw);
    if (parsed.success) fields[field] = parsed.data;
    else lines.push(`${variable.env} ${parsed.error.issues[0]?.message ?? 'is not valid'}. ${variable.about}`);
  }
  if (lines.length > 0) throw new ConfigError(lines);
  return toConfig(fields as unknown as AppConfig);
}

/** Makes an AppConfig out of checked fields; the origin of `publicUrl` always belongs to the allowed ones. */
export function toConfig(fields: AppConfig): AppConfig {
  const own = new URL(fields.publicUrl).origin;
  return { ...fields, allowedOrigins: [...new Set([own, ...fields.allowedOrigins])] };
}
