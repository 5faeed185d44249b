import { Injectable } from '@nestjs/common';
import type { TrustAnswer } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { signersOf } from './trust.repository.js';

/** The public keys that a recovery kit must hold for the day when this server is gone. */
@Injectable()
export class WorkspaceTrust {
  constructor(
    private readonly database: Database,
    private readonly keys: ServerKeys,
  ) {}

  async read({ workspaceId }: Actor): Promise<TrustAnswer> {
    const agents = await this.database.inWorkspace(workspaceId, (tx) => signersOf(tx, workspaceId));
    const { publicKeyBase64: serverPublicKey, keyId: serverKeyId } = this.keys.manifestKey;
    return { serverPublicKey, serverKeyId, agents };
  }
}
