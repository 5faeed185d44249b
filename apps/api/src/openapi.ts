import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { AppModule } from './app.module.js';
import { failStart } from './platform/boot/run-process.js';
import { loadConfig } from './platform/config/load-config.js';
import { exportDocument } from './platform/openapi/export-document.js';

/** `node dist/openapi.js [file]` writes the OpenAPI document to a file or to standard output; no server is needed. */
try {
  const config = loadConfig({
    DATABASE_URL: 'postgres://none',
    REDIS_URL: 'redis://none',
    KEYS_DIR: '/none',
    STORAGE_ROOT: '/none',
  });
  const text = await exportDocument(AppModule.forRoot({ config }));
  const [, , file] = process.argv;
  if (file === undefined) process.stdout.write(text);
  else await writeFile(file, text);
} catch (error) {
  failStart('openapi', error);
}
