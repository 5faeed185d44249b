import type { ApiTokenScope } from '@rahatback/contracts';

/** Which scope lets an API token do what is not reading. What is not named here is for no token. */
export const TOKEN_WRITES: Readonly<Record<string, ApiTokenScope>> = {
  'POST /v1/agents/enrol-codes': 'admin',
  'POST /v1/agents/:id/revoke': 'admin',
  'DELETE /v1/backups/history/:id': 'admin',

  'POST /v1/databases/test-connection': 'setup:write',
  'POST /v1/databases': 'setup:write',
  'PATCH /v1/databases/:id': 'setup:write',
  'DELETE /v1/databases/:id': 'setup:write',
  'POST /v1/storages': 'setup:write',
  'POST /v1/storages/test': 'setup:write',
  'PATCH /v1/storages/:id': 'setup:write',
  'DELETE /v1/storages/:id': 'setup:write',
  'POST /v1/backups/jobs': 'setup:write',
  'PATCH /v1/backups/jobs/:id': 'setup:write',
  'DELETE /v1/backups/jobs/:id': 'setup:write',

  'POST /v1/databases/:id/test-connection': 'backups:run',
  'POST /v1/storages/:id/test': 'backups:run',
  'POST /v1/storages/:id/reconcile': 'backups:run',
  'POST /v1/backups/jobs/:id/run': 'backups:run',
  'POST /v1/backups/history/:id/cancel': 'backups:run',
  'POST /v1/backups/history/:id/verify': 'backups:run',
  'POST /v1/verifications/:id/cancel': 'backups:run',

  'POST /v1/backups/history/:id/export': 'restores:run',
  'POST /v1/backups/history/:id/restore': 'restores:run',
  'POST /v1/backups/history/:id/restore/preflight': 'restores:run',
  'POST /v1/restores/:id/cancel': 'restores:run',
};

/** Reading that `read` is not enough for. `people`: for no token. */
export const TOKEN_READS: Readonly<Record<string, ApiTokenScope | 'people'>> = {
  'GET /v1/auth/sessions': 'people',
  'GET /v1/auth/totp': 'people',
  'GET /v1/api-tokens': 'people',
  'GET /v1/audit/verify': 'admin',
  'GET /v1/audit/export': 'admin',
  'GET /v1/backups/history/:id/download': 'restores:run',
  'GET /v1/backups/history/:id/keys': 'restores:run',
};

/** Undefined: no API token may. */
export function scopeOf(route: string): ApiTokenScope | undefined {
  if (!route.startsWith('GET ')) return TOKEN_WRITES[route];
  const scope = TOKEN_READS[route] ?? 'read';
  return scope === 'people' ? undefined : scope;
}
