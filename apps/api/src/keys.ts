import { failStart } from './platform/boot/run-process.js';
import { loadConfig } from './platform/config/load-config.js';
import { loadKeys } from './platform/keys/load-keys.js';

try {
  const keys = await loadKeys(loadConfig().keysDir);
  const ids = [keys.commandKey.keyId, keys.manifestKey.keyId, keys.jwt.kid, keys.kek.current.kid];
  process.stdout.write(`${JSON.stringify({ level: 'info', service: 'keys', event: 'keys', serverId: keys.serverId, ids })}\n`);
} catch (error) {
  failStart('keys', error);
}
