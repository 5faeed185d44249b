import { Init1763640000000 } from './1763640000000-init.js';
import { Proofs1763650000000 } from './1763650000000-proofs.js';
import { AuditChain1763660000000 } from './1763660000000-audit-chain.js';
import { HistoryPages1763670000000 } from './1763670000000-history-pages.js';
import { Accounts1763680000000 } from './1763680000000-accounts.js';
import { ApiTokens1763681000000 } from './1763681000000-api-tokens.js';
import { ServerKeys1763690000000 } from './1763690000000-server-keys.js';
import { ObjectStamps1763700000000 } from './1763700000000-object-stamps.js';

/** Every migration, oldest first. Listed by hand so that a build never depends on what lies in a folder. */
export const MIGRATIONS = [
  Init1763640000000,
  Proofs1763650000000,
  AuditChain1763660000000,
  HistoryPages1763670000000,
  Accounts1763680000000,
  ApiTokens1763681000000,
  ServerKeys1763690000000,
  ObjectStamps1763700000000,
];
