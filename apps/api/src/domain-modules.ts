import type { Type } from '@nestjs/common';
import { AgentsModule } from './modules/agents/index.js';
import { ApiTokensModule } from './modules/api-tokens/index.js';
import { AuditModule } from './modules/audit/index.js';
import { AuthModule } from './modules/auth/index.js';
import { BackupsModule } from './modules/backups/index.js';
import { CatalogueModule } from './modules/catalogue/index.js';
import { DatabasesModule } from './modules/databases/index.js';
import { JobsModule } from './modules/jobs/index.js';
import { RestoreModule } from './modules/restore/index.js';
import { StoragesModule } from './modules/storages/index.js';
import { VerificationModule } from './modules/verification/index.js';

/** One list for both processes: the API answers requests and sockets, the worker runs processors, over the same graph. */
export const DOMAIN_MODULES: Type[] = [
  AuditModule,
  AuthModule,
  ApiTokensModule,
  AgentsModule,
  StoragesModule,
  DatabasesModule,
  JobsModule,
  BackupsModule,
  RestoreModule,
  VerificationModule,
  CatalogueModule,
];
