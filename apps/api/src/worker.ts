import 'reflect-metadata';
import { Logger } from 'nestjs-pino';
import { createWorker } from './create-app.js';
import { MIGRATIONS } from './migrations/index.js';
import { runBootChecks } from './platform/boot/boot-checks.js';
import { closeOnSignals, failStart } from './platform/boot/run-process.js';
import { loadConfig } from './platform/config/load-config.js';

try {
  const config = loadConfig();
  await runBootChecks({ ...config, migrations: MIGRATIONS });
  const worker = await createWorker({ config });
  closeOnSignals(worker);
  worker.get(Logger).log({ event: 'ready' }, 'The worker is ready.');
} catch (error) {
  failStart('worker', error);
}
