import { Init1763640000000 } from './1763640000000-init.js';
import { Proofs1763650000000 } from './1763650000000-proofs.js';
import { AuditChain1763660000000 } from './1763660000000-audit-chain.js';

/** Every migration, oldest first. Listed by hand so that a build never depends on what lies in a folder. */
export const MIGRATIONS = [Init1763640000000, Proofs1763650000000, AuditChain1763660000000];
