import { configureCrashPoints } from '@rahatback/backup-core/crash-point';
import { AppError } from '@rahatback/contracts';
import { failStart } from './platform/boot/run-process.js';
import { loadConfig } from './platform/config/load-config.js';
import { removeOldKek, rotateKek, rotationStatus } from './platform/keys/kek-rotation.js';
import type { RotationOptions } from './platform/keys/kek-rotation.js';

const say = (line: object): void => void process.stdout.write(`${JSON.stringify({ level: 'info', service: 'keys', ...line })}\n`);

const COMMANDS: Readonly<Record<string, (options: RotationOptions, flags: readonly string[]) => Promise<object>>> = {
  status: rotationStatus,
  rotate: rotateKek,
  remove: (options, flags) => removeOldKek({ ...options, now: flags.includes('--now') }),
};

try {
  const [name = '', ...flags] = process.argv.slice(2);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new AppError('CONFIG_INVALID', 'Say what to do: rotate-kek status | rotate | remove [--now].');
  const config = loadConfig();
  configureCrashPoints(config.faultSpec);
  const status = await command({ keysDir: config.keysDir, databaseUrl: config.databaseUrl, report: say }, flags);
  say({ event: 'keys.status', ...status });
} catch (error) {
  failStart('keys', error);
}
