const SECRET_FIELDS = [
  'password',
  'passphrase',
  'encryptionPassword',
  's3SecretAccessKey',
  's3AccessKeyId',
  'gdRefreshToken',
  'currentPassword',
  'newPassword',
  'challenge',
  'deviceToken',
  'recoveryCodes',
  'refreshToken',
  'accessToken',
  'token',
  'secret',
  'code',
  'authorization',
  'cookie',
  'sealed',
  'credentials',
  'privateKey',
] as const;

/** `code` is redacted only inside bodies: at the top level and in errors it is our error code. */
export const REDACTED_PATHS: readonly string[] = [
  ...SECRET_FIELDS.filter((field) => field !== 'code').flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
  'body.code',
  'headers',
  '*.headers',
  'config.databaseUrl',
  'config.databaseOwnerUrl',
  'config.redisUrl',
];

/** Keeps the path of a URL; the query and the ticket of a part or download, which is a credential, go. */
export const redactUrl = (url: string): string =>
  (url.split('?', 1)[0] ?? '').replace(/^\/v1\/(parts|downloads)\/.+/, '/v1/$1/[redacted]');
