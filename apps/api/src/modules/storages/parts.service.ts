import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { ByteRange } from '@rahatback/storage';
import { Database } from '../../platform/database/database.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { byteRangeOf } from './byte-range.js';
import { PartGate } from './part-gate.js';
import { openTicket, ticketHash, type GetTicket, type PartTicket, type PutTicket } from './part-ticket.js';
import { StorageFactory } from './storage-factory.js';

export interface OpenedPart {
  readonly sizeBytes: number;
  /** Undefined: the whole object. */
  readonly range: Required<ByteRange> | undefined;
  readonly body: Readable;
}

/** `<workspace>/<database>/<backup>/<fence>/<object>` */
const OBJECT_KEY = /^([^/]+)\/([^/]+)\/([^/]+)\/(\d+)\/([^/]+)$/;
/** Used tickets that have expired are swept away about this often. */
const SWEEP_EVERY = 500;

const expired = (): AppError =>
  new AppError('URL_EXPIRED', 'This address cannot be used: it is wrong, has expired or was used before. Ask for a new one.');

/** Takes and serves the parts of objects on the server's own disk. The ticket is the credential; everything it allows is inside it. */
@Injectable()
export class PartsService {
  private putsUntilSweep = SWEEP_EVERY;

  constructor(
    private readonly keys: ServerKeys,
    private readonly database: Database,
    private readonly gate: PartGate,
    private readonly factory: StorageFactory,
  ) {}

  /** @throws AppError URL_EXPIRED, PART_INVALID, UPLOAD_MISSING, NO_SPACE */
  async put(text: string, contentLength: number | undefined, body: Readable): Promise<{ etag: string }> {
    const ticket = await this.admit(text, 'PUT');
    if (contentLength !== ticket.part.sizeBytes) {
      throw new AppError(
        'PART_INVALID',
        `This address takes exactly ${ticket.part.sizeBytes} bytes. Send Content-Length and that many.`,
        {
          sizeBytes: ticket.part.sizeBytes,
        },
      );
    }
    await this.claim(text, ticket);
    try {
      return await this.factory.local(ticket).putPart(ticket.part, body);
    } catch (error) {
      // Nothing was stored, so the same address may be tried again.
      await this.giveBack(text);
      throw error;
    }
  }

  /** @throws AppError URL_EXPIRED, OBJECT_MISSING, VALIDATION for a range outside the object */
  async get(text: string, rangeHeader: string | undefined): Promise<OpenedPart> {
    const ticket = await this.admit(text, 'GET');
    const backend = this.factory.local(ticket);
    const stat = await backend.stat(ticket.read.key);
    if (!stat) throw new AppError('OBJECT_MISSING', 'The object is not in the storage.');
    const range = byteRangeOf(rangeHeader, stat.sizeBytes);
    return { sizeBytes: stat.sizeBytes, range, body: await backend.read(ticket.read.key, range) };
  }

  private async admit(text: string, method: 'PUT'): Promise<PutTicket>;
  private async admit(text: string, method: 'GET'): Promise<GetTicket>;
  private async admit(text: string, method: 'PUT' | 'GET'): Promise<PartTicket> {
    const ticket = openTicket(this.keys.kek, text);
    if (ticket?.method !== method) throw expired();
    const { key, expiresAt } = ticket.method === 'PUT' ? ticket.part : ticket.read;
    if (Date.now() > Date.parse(expiresAt)) throw expired();
    const [, workspaceId, databaseId, backupId, fence, object] = OBJECT_KEY.exec(key) ?? [];
    if (!workspaceId || !databaseId || !backupId || !object) throw expired();
    // Only imported backups stand under the ids of another workspace, and those are read and never written.
    if (method === 'PUT' && workspaceId !== ticket.workspaceId) throw expired();
    const attempt = { method, ownerId: ticket.workspaceId, workspaceId, databaseId, backupId, fence: Number(fence), object };
    const isOpen = await this.gate.isOpen(attempt);
    if (!isOpen) throw expired();
    return ticket;
  }

  private async claim(text: string, ticket: PutTicket): Promise<void> {
    this.putsUntilSweep -= 1;
    const isSweepDue = this.putsUntilSweep <= 0;
    if (isSweepDue) this.putsUntilSweep = SWEEP_EVERY;
    const isFirst = await this.database.asSystem('use a part ticket', async (tx) => {
      // A day later than needed: no clock of ours is that wrong.
      if (isSweepDue) await tx.query(`DELETE FROM used_parts WHERE expires_at < clock_timestamp() - interval '1 day'`);
      const rows = await tx.query<unknown[]>(
        `INSERT INTO used_parts (ticket, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING ticket`,
        [ticketHash(text), ticket.part.expiresAt],
      );
      return rows.length === 1;
    });
    if (!isFirst) throw expired();
  }

  private async giveBack(text: string): Promise<void> {
    await this.database.asSystem('give a part ticket back', (tx) =>
      tx.query('DELETE FROM used_parts WHERE ticket = $1', [ticketHash(text)]),
    );
  }
}
