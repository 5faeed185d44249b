import { Injectable } from '@nestjs/common';
import type { CreateEnrolCodeDto, EnrolAgentDto, EnrolAnswer, EnrolCodeView } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { enrolProofBytes, fingerprint, isCryptoError, sealSecret, verifyBytes } from '@rahatback/crypto';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { AuditTrail } from '../audit/index.js';
import { AgentRow } from './agent.entity.js';
import { canonicalEnrolCode, newEnrolCode, sha256Hex } from './enrol-code.js';

/** One text for every reason: a stranger learns nothing about which codes exist. */
const refused = (): AppError =>
  new AppError(
    'ENROL_REFUSED',
    'This code cannot be used: it is wrong, has expired or was used before. Ask for a new one in the console.',
  );

interface Redeemed {
  readonly workspaceId: string;
  readonly label: string | null;
  readonly recoveryRecipient: string | null;
}

/** How a machine becomes an agent of a workspace. */
@Injectable()
export class EnrolmentService {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly keys: ServerKeys,
    private readonly audit: AuditTrail,
  ) {}

  /** The code is in this answer and nowhere else: only its hash is kept. */
  createCode(actor: Actor, dto: CreateEnrolCodeDto): Promise<EnrolCodeView> {
    const code = newEnrolCode();
    const id = newId();
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const rows = await tx.query<{ expires_at: Date }[]>(
        `INSERT INTO enrol_codes (id, workspace_id, code_sha256, label, created_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6::interval) RETURNING expires_at`,
        [id, actor.workspaceId, sha256Hex(code), dto.label ?? null, actor.userId, `${this.config.enrolCodeMinutes} minutes`],
      );
      await this.audit.record(tx, {
        workspaceId: actor.workspaceId,
        actor,
        action: 'agent.enrol_code_created',
        targetType: 'enrol_code',
        targetId: id,
        detail: { label: dto.label ?? null },
      });
      return {
        code,
        expiresAt: rows[0]?.expires_at.toISOString() ?? '',
        command: `rahatback-agent enroll ${code} --server ${this.config.publicUrl}`,
      };
    });
  }

  /**
   * Redeems a code, once, for an agent of the code's workspace.
   * @throws AppError ENROL_REFUSED for a code that is wrong, used or expired, and for a proof that does not fit
   */
  async enrol(dto: EnrolAgentDto): Promise<EnrolAnswer> {
    await assertProof(dto);
    const agentId = newId();
    const serverPublicKey = this.keys.commandKey.publicKeyBase64;
    const words = fingerprint({ signPublicKey: dto.signPublicKey, sealPublicKey: dto.sealPublicKey, serverPublicKey });
    const redeemed = await this.database.asSystem('redeem an enrolment code', async (tx) => {
      const found = await redeem(tx, sha256Hex(canonicalEnrolCode(dto.code)), agentId);
      if (!found) throw refused();
      await tx.insert(AgentRow, {
        id: agentId,
        workspaceId: found.workspaceId,
        deviceName: dto.deviceName,
        label: found.label,
        platform: dto.platform,
        version: dto.version,
        signPublicKey: dto.signPublicKey,
        sealPublicKey: dto.sealPublicKey,
        fingerprint: words,
      });
      await this.audit.record(tx, {
        workspaceId: found.workspaceId,
        actor: { agentId },
        action: 'agent.enrolled',
        targetType: 'agent',
        targetId: agentId,
        detail: { deviceName: dto.deviceName, fingerprint: words },
      });
      return found;
    });
    return {
      agentId,
      workspaceId: redeemed.workspaceId,
      serverId: this.keys.serverId,
      commandPublicKey: serverPublicKey,
      commandKeyId: this.keys.commandKey.keyId,
      recoveryRecipient: redeemed.recoveryRecipient,
      fingerprint: words,
    };
  }
}

/** The proof binds both keys to the code as the agent sent it. A key that nothing can be sealed to is refused before the code is spent. */
async function assertProof(dto: EnrolAgentDto): Promise<void> {
  const { signPublicKey, sealPublicKey } = dto;
  const proof = enrolProofBytes({ codeSha256Hex: sha256Hex(dto.code), signPublicKey, sealPublicKey });
  let isProved: boolean;
  try {
    isProved = verifyBytes(signPublicKey, proof, dto.proof);
    await sealSecret({
      recipientPublicKey: sealPublicKey,
      plaintext: '',
      agentId: '',
      purpose: 'enrol',
      subject: '',
      version: 0,
    });
  } catch (error) {
    if (isCryptoError(error)) throw refused();
    throw error;
  }
  if (!isProved) throw refused();
}

/** The one statement that decides between many who come with the same code. */
async function redeem(tx: Tx, codeSha256: string, agentId: string): Promise<Redeemed | undefined> {
  const rows = await tx.query<Redeemed[]>(
    `WITH used AS (
       UPDATE enrol_codes SET used_at = clock_timestamp(), agent_id = $2
       WHERE code_sha256 = $1 AND used_at IS NULL AND expires_at > clock_timestamp()
       RETURNING workspace_id, label)
     SELECT used.workspace_id AS "workspaceId", used.label, w.recovery_recipient AS "recoveryRecipient"
     FROM used JOIN workspaces w ON w.id = used.workspace_id`,
    [codeSha256, agentId],
  );
  return rows[0];
}
