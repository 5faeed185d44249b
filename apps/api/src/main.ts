import 'reflect-metadata';
import { Logger } from 'nestjs-pino';
import { createApi } from './create-app.js';
import { MIGRATIONS } from './migrations/index.js';
import { runBootChecks } from './platform/boot/boot-checks.js';
import { closeOnSignals, failStart } from './platform/boot/run-process.js';
import { loadConfig } from './platform/config/load-config.js';

try {
  const config = loadConfig();
  await runBootChecks({ ...config, migrations: MIGRATIONS });
  const app = await createApi({ config });
  closeOnSignals(app);
  await app.listen(config.port, config.host);
  const { port } = app.getHttpServer().address() as { port: number };
  app.get(Logger).log({ event: 'ready', host: config.host, port, publicUrl: config.publicUrl }, 'The API is ready.');
} catch (error) {
  failStart('api', error);
}
