/**
 * Everything that a deployment may set, typed. One instance per process, made once at start by `loadConfig`; also the injection token.
 * The names in the environment are in `config-variables.ts`.
 */
export abstract class AppConfig {
  abstract readonly host: string;
  abstract readonly port: number;
  abstract readonly publicUrl: string;
  abstract readonly allowedOrigins: readonly string[];
  /** Addresses or networks of the proxies whose X-Forwarded-For is believed; empty: none. */
  abstract readonly trustProxy: readonly string[];
  /** Networks besides the public ones that the server connects to for people: their storages' endpoints. */
  abstract readonly outboundAllow: readonly string[];
  abstract readonly databaseUrl: string;
  abstract readonly databaseOwnerUrl: string | undefined;
  abstract readonly databaseAppRole: string;
  abstract readonly databasePoolSize: number;
  abstract readonly redisUrl: string;
  abstract readonly keysDir: string;
  abstract readonly storageRoot: string;
  abstract readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  abstract readonly requestsPerMinute: number;
  /** Sockets of one address, agents and pages together, in one process. */
  abstract readonly socketsPerAddress: number;
  /** Pages of one person that listen, in one process. */
  abstract readonly socketsPerPerson: number;
  abstract readonly registrationsPerHour: number;
  abstract readonly accessTokenMinutes: number;
  abstract readonly refreshTokenDays: number;
  abstract readonly heartbeatIntervalMs: number;
  abstract readonly agentOfflineAfterMs: number;
  abstract readonly leaseMs: number;
  abstract readonly watchdogIntervalMs: number;
  abstract readonly outboxIntervalMs: number;
  abstract readonly uploadUrlSeconds: number;
  abstract readonly enrolCodeMinutes: number;
  /** `<crash point>:<nth>`: this process kills itself there. Tests only. */
  abstract readonly faultSpec: string | undefined;
}
