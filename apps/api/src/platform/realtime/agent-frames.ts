import type { AgentToServerEvents } from '@rahatback/contracts';
import { COMMAND_STATES, COMMAND_TYPES, PREFLIGHT_SUBJECTS, VERIFICATION_CHECKS } from '@rahatback/contracts';
import { z } from 'zod';
import type { AgentMessage } from './agent-session.js';

/**
 * The shape of every frame that an agent may send. Unknown fields are dropped and not refused, so that a newer agent can talk to us; wrong
 * types and sizes are refused before any handler sees them.
 */
const id = z.guid();
const fence = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const text = (max: number) => z.string().max(max);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const md5 = z.string().regex(/^[A-Za-z0-9+/]{22}==$/);
const objectName = z.string().regex(/^(data-\d{5}|index|keys-\d{1,6}\.json|manifest\.json)$/);
const time = z.iso.datetime({ offset: true });
const report = { commandId: id, fence };
const steps = z.array(z.object({ name: text(100), at: time, detail: text(4000).optional() })).max(1000);
const logTail = text(100_000);
const error = z.object({
  code: text(100) as unknown as z.ZodType<AgentMessage<'backup:failed'>['error']['code']>,
  message: text(4000),
  details: z.record(z.string(), z.unknown()).optional(),
  correlationId: text(100).optional(),
});
const progress = z.object({
  ...report,
  progress: z.number().min(0).max(100),
  currentStep: text(200),
  bytesRead: size,
  bytesStored: size,
  bytesPerSecond: z.number().nonnegative(),
  etaSeconds: z.number().nonnegative().nullable(),
});
const started = z.object({ ...report, at: time, clientTool: text(200), serverVersion: text(200) });
const failedReport = z.object({ ...report, error, steps, logTail });
const tables = z
  .array(z.object({ schema: text(100), table: text(100), rows: size, restoredRows: size, equal: z.boolean() }))
  .max(100_000);
const tools = z.array(z.object({ name: text(100), version: text(100), path: text(1000) })).max(200);
const location = z.object({
  backupId: id,
  fence,
  backupType: z.enum(['full', 'incremental', 'differential']),
  workspaceId: id,
  databaseId: id,
});

const finding = z.object({
  subject: z.enum(PREFLIGHT_SUBJECTS),
  severity: z.enum(['ok', 'warning', 'blocker']),
  message: text(4000),
  details: z.record(z.string(), z.unknown()).optional(),
});
const check = z.object({
  name: z.enum(VERIFICATION_CHECKS),
  result: z.enum(['passed', 'failed', 'skipped']),
  message: text(4000),
  evidence: z.record(z.string(), z.unknown()),
  durationMs: z.number().nonnegative(),
});
const swapped = z.object({
  ...report,
  restoreId: id,
  liveDatabase: text(200),
  retiredDatabase: text(200),
  drainedSessions: size,
  error: error.optional(),
});
const sealedKey = z.object({
  ref: text(200),
  purpose: z.literal('backup-key'),
  subject: text(200),
  version: size,
  enc: text(200),
  ciphertext: text(500),
});

type FrameSchemas = { readonly [E in keyof AgentToServerEvents]: z.ZodType<AgentMessage<E>> };

export const AGENT_FRAMES: FrameSchemas = {
  'agent:register': z.object({
    agentId: id,
    deviceName: text(200),
    platform: text(100),
    version: text(50),
    protocol: z.number().int().nonnegative(),
    tools,
    generation: fence,
    signature: text(200),
  }),
  'agent:journal': z
    .array(z.object({ commandId: id, type: z.enum(COMMAND_TYPES), state: z.enum(COMMAND_STATES), resource: text(300), fence }))
    .max(10_000),
  heartbeat: z.object({ running: z.array(z.object({ commandId: id, resource: text(300), fence })).max(10_000) }),
  'database:test:result': z.object({
    ...report,
    success: z.boolean(),
    serverVersion: text(200).optional(),
    latencyMs: z.number().nonnegative().optional(),
    clientTool: text(200).optional(),
    compatible: z.boolean().optional(),
    error: error.optional(),
  }),
  'backup:started': started,
  'backup:progress': progress,
  'backup:completed': z.object({
    ...report,
    backupId: id,
    manifestSha256: sha256,
    brokenLink: z.object({ backupId: id, message: text(4000) }).optional(),
    steps,
    logTail,
  }),
  'backup:failed': failedReport,
  'restore:started': started,
  'restore:progress': progress,
  'restore:completed': z.object({
    ...report,
    restoreId: id,
    targetDatabase: text(200),
    tables,
    bytesRestored: size,
    steps,
    logTail,
  }),
  'restore:failed': failedReport,
  'restore:preflight:result': z.object({ ...report, findings: z.array(finding).max(1000), error: error.optional() }),
  'restore:swap:result': swapped,
  'restore:undo:result': swapped,
  'restore:discard:result': z.object({ ...report, restoreId: id, error: error.optional() }),
  'verification:started': started,
  'verification:progress': progress,
  'verification:completed': z.object({
    ...report,
    verificationId: id,
    status: z.enum(['PASSED', 'FAILED', 'SKIPPED']),
    reason: text(4000).nullable(),
    checks: z.array(check).max(100),
    tables,
    tablesTotal: size.nullable(),
    tablesEqual: size.nullable(),
    restoreMs: size.nullable(),
    steps,
    logTail,
  }),
  'verification:failed': failedReport,
  'keys:rewrap:result': z.object({ ...report, sealed: sealedKey.optional(), error: error.optional() }),
  'backup:delete:result': z.object({ ...report, error: error.optional() }),
  'backup:export:result': z.object({
    ...report,
    path: text(4000).optional(),
    sizeBytes: size.optional(),
    sha256: sha256.optional(),
    error: error.optional(),
  }),
  'command:refused': z.object({ ...report, error }),
  'upload:begin': z.object({ ...report, object: objectName }),
  'upload:part': z.object({
    ...report,
    object: objectName,
    partNumber: z.number().int().min(1).max(10_000),
    sizeBytes: size,
    sha256,
    md5,
  }),
  'upload:complete': z.object({
    ...report,
    object: objectName,
    sizeBytes: size,
    sha256,
    parts: z
      .array(z.object({ partNumber: z.number().int().min(1).max(10_000), sizeBytes: size, sha256, md5, etag: text(300) }))
      .min(1)
      .max(10_000),
  }),
  'upload:publish': z.object({ ...report, object: objectName, content: text(400_000) }),
  'upload:abort': z.object(report),
  'download:open': z.object({ ...report, location, object: objectName }),
};

/** The schema of an event's frame; undefined for an event that does not exist. */
export const frameOf = (event: string): z.ZodType | undefined =>
  Object.hasOwn(AGENT_FRAMES, event) ? AGENT_FRAMES[event as keyof AgentToServerEvents] : undefined;
