import { Injectable, Logger } from '@nestjs/common';
import type {
  CommandEnvelope,
  CommandReceipt,
  CommandType,
  ErrorBody,
  ErrorCode,
  Result,
  SignedCommand,
} from '@rahatback/contracts';
import { AGENT_PROTOCOL, ERROR_RULES } from '@rahatback/contracts';
import { canonicalJson, signCommand } from '@rahatback/crypto';
import { Database, type Tx } from '../../platform/database/database.js';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { AgentChannel } from '../../platform/realtime/agent-channel.js';
import { commandStateOf, errorOf } from './agent-words.js';
import { CommandOutbox } from './command-outbox.js';
import { CommandSettlement } from './command-settlement.service.js';
import { CommandRow } from './command.entity.js';

/** How long an agent may take for a receipt; after that the command is sent again under the same id. */
const RECEIPT_TIMEOUT_MS = 10_000;
/** As many are on their way at once; they leave in the order of their sequence. */
const BATCH = 32;
/** Their only effect is on another command, which reports for itself: the receipt is their end. */
const ENDED_BY_RECEIPT: readonly CommandType[] = ['job:cancel', 'restore:cancel', 'verification:cancel'];
/** Refusals of a command itself, although the world, too, can be what stopped it. */
const FINAL: readonly ErrorCode[] = ['COMMAND_EXPIRED', 'FENCED', 'AGENT_RESTARTED'];

type Delivery = 'taken' | 'offline' | 'timeout';

/** Sends what waits for an agent. The process that signs is the one that read the command from PostgreSQL. */
@Injectable()
export class CommandDispatcher {
  private readonly log = new Logger(CommandDispatcher.name);

  constructor(
    private readonly database: Database,
    private readonly channel: AgentChannel,
    private readonly keys: ServerKeys,
    private readonly outbox: CommandOutbox,
    private readonly settlement: CommandSettlement,
  ) {}

  /** Several may run at once, for one agent too: each command is claimed by one of them. */
  async dispatch(agentId: string): Promise<void> {
    for (;;) {
      const commands = await this.database.asSystem('claim commands', (tx) => claim(tx, agentId));
      const deliveries = await Promise.all(commands.map((command) => this.deliver(command)));
      if (commands.length < BATCH || deliveries.some((delivery) => delivery !== 'taken')) return;
    }
  }

  /** Ends what is too late, and wakes the dispatch of every agent that something still waits for. */
  async sweep(): Promise<void> {
    await this.settlement.sweep();
    const waiting = await this.database.asSystem('look for unsent commands', (tx) =>
      tx.query<{ agent_id: string }[]>(
        `SELECT DISTINCT c.agent_id FROM commands c JOIN agents a ON a.id = c.agent_id
         WHERE a.state = 'active' AND a.session_id IS NOT NULL
           AND ((c.state = 'queued' AND c.created_at < clock_timestamp() - interval '2 seconds')
             OR (c.state = 'sent' AND c.sent_at < clock_timestamp() - $1::interval))
         LIMIT 1000`,
        [`${RECEIPT_TIMEOUT_MS} milliseconds`],
      ),
    );
    await Promise.all(waiting.map(({ agent_id: agentId }) => this.outbox.nudge(agentId)));
  }

  private async deliver(command: CommandRow): Promise<Delivery> {
    const signed = this.sign(command);
    crashPoint('worker.dispatch.before_send');
    const answer = await this.channel.send(command.agentId, command.type, signed, RECEIPT_TIMEOUT_MS);
    crashPoint('worker.dispatch.after_send');
    if (answer === 'offline') {
      await this.database.inWorkspace(command.workspaceId, (tx) => takeBack(tx, command.id));
      return answer;
    }
    return answer === 'timeout' ? answer : this.received(command, answer);
  }

  private sign(command: CommandRow): SignedCommand {
    const envelope: CommandEnvelope = {
      protocol: AGENT_PROTOCOL,
      commandId: command.id,
      agentId: command.agentId,
      workspaceId: command.workspaceId,
      sequence: command.sequence,
      type: command.type,
      issuedAt: command.createdAt.toISOString(),
      expiresAt: command.expiresAt.toISOString(),
      resource: command.resource,
      fence: command.fence,
      payload: command.payload,
      sealed: command.sealed,
    };
    const body = canonicalJson(envelope).toString('utf8');
    return { body, signature: signCommand(this.keys.commandKey.privateKey, body), keyId: this.keys.commandKey.keyId };
  }

  /** A receipt moves a command forward only, so that one that comes late, or twice, changes nothing. */
  private async received(command: CommandRow, answer: Result<CommandReceipt>): Promise<Delivery> {
    const refusal = refusalOf(command, answer);
    if (refusal) return this.refused(command, refusal);
    await this.database.inWorkspace(command.workspaceId, async (tx) => {
      if (ENDED_BY_RECEIPT.includes(command.type)) await this.outbox.markEnded(tx, command.id, 'succeeded');
      else await accept(tx, command.id);
    });
    return 'taken';
  }

  /** An agent whose disk is full has recorded nothing: it is asked again, as if it had not answered, until the command expires. */
  private async refused(command: CommandRow, refusal: ErrorBody): Promise<Delivery> {
    this.log.warn({ commandId: command.id, type: command.type, code: refusal.code }, 'An agent did not take a command.');
    const isTemporary = ERROR_RULES[refusal.code].kind !== 'user' && !FINAL.includes(refusal.code);
    if (isTemporary) return 'timeout';
    await this.settlement.settle(command.id, command.workspaceId, { state: 'refused', message: { error: refusal } });
    return 'taken';
  }
}

/** Locks the rows that are due, in order, and marks them as sent: whoever else comes sees them as on their way. */
async function claim(tx: Tx, agentId: string): Promise<CommandRow[]> {
  const rows = await tx.query<{ id: string }[]>(
    `WITH due AS (
       SELECT c.id FROM commands c JOIN agents a ON a.id = c.agent_id AND a.state = 'active' AND a.session_id IS NOT NULL
       WHERE c.agent_id = $1 AND c.expires_at > clock_timestamp()
         AND (c.state = 'queued' OR (c.state = 'sent' AND c.sent_at < clock_timestamp() - $2::interval))
       ORDER BY c.sequence LIMIT ${BATCH} FOR UPDATE OF c SKIP LOCKED),
     sent AS (
       UPDATE commands SET state = 'sent', sent_at = clock_timestamp(), deliveries = deliveries + 1
       FROM due WHERE commands.id = due.id RETURNING commands.id)
     SELECT id FROM sent`,
    [agentId, `${RECEIPT_TIMEOUT_MS} milliseconds`],
  );
  if (rows.length === 0) return [];
  return tx
    .createQueryBuilder(CommandRow, 'command')
    .where('command.id IN (:...ids)', { ids: rows.map(({ id }) => id) })
    .orderBy('command.sequence')
    .getMany();
}

/** Nobody was there: it was not delivered, and is due at once when the agent comes. */
const takeBack = (tx: Tx, commandId: string): Promise<unknown> =>
  tx.query(`UPDATE commands SET state = 'queued', sent_at = NULL, deliveries = deliveries - 1 WHERE id = $1 AND state = 'sent'`, [
    commandId,
  ]);

const accept = (tx: Tx, commandId: string): Promise<unknown> =>
  tx.query(
    `UPDATE commands SET state = 'accepted', accepted_at = clock_timestamp() WHERE id = $1 AND state IN ('queued','sent')`,
    [commandId],
  );

/** What the agent answered is from outside: a receipt that is none of this command's is a refusal, too. */
function refusalOf(command: CommandRow, answer: unknown): ErrorBody | undefined {
  const fields = (typeof answer === 'object' && answer !== null ? answer : {}) as {
    ok?: unknown;
    value?: unknown;
    error?: unknown;
  };
  if (fields.ok !== true) return errorOf(fields.error);
  const receipt = (fields.value ?? {}) as { commandId?: unknown; state?: unknown };
  const state = commandStateOf(receipt.state);
  if (receipt.commandId !== command.id || state === undefined) {
    return { code: 'COMMAND_REFUSED', message: 'The agent sent a receipt that is not of this command. Upgrade the agent.' };
  }
  return state === 'refused' ? { code: 'COMMAND_REFUSED', message: 'The agent refused the command. See its log.' } : undefined;
}
