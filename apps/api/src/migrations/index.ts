import { Init1763640000000 } from './1763640000000-init.js';

/** Every migration, oldest first. Listed by hand so that a build never depends on what lies in a folder. */
export const MIGRATIONS = [Init1763640000000];
