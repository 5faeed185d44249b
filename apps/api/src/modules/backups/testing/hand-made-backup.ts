import { createHash } from 'node:crypto';
import type { Manifest, ManifestBody, ObjectRecord } from '@rahatback/backup-core/manifest';
import { serializeManifest, signAsAgent } from '@rahatback/backup-core/manifest';
import type { BackupPayload } from '@rahatback/contracts';
import {
  associatedData,
  commitmentOf,
  createKeysFile,
  encryptBytes,
  FORMAT,
  generateDek,
  segmentCount,
  serializeKeysFile,
} from '@rahatback/crypto';

export interface HandMadeAgent {
  readonly id: string;
  readonly signPrivateKey: string;
  readonly sealPublicKey: string;
}

export interface HandMadeBackup {
  readonly objects: ReadonlyMap<string, Buffer>;
  readonly keys: Buffer;
  readonly body: ManifestBody;
  readonly manifest: Manifest;
}

const recordOf = (name: string, plainBytes: number, stored: Buffer): ObjectRecord => ({
  name,
  plainBytes,
  storedBytes: stored.length,
  segments: segmentCount(stored.length),
  sha256: createHash('sha256').update(stored).digest('hex'),
});

const chainKeys = new Map<string, Buffer>();

/** One data key a chain, as an agent has it. */
function dekOfChain(chainId: string): Buffer {
  const dek = chainKeys.get(chainId) ?? generateDek();
  chainKeys.set(chainId, dek);
  return dek;
}

/** Small, but truly encrypted, keyed and signed as the format says; only the index says nothing. */
export async function handMadeBackup(payload: BackupPayload, agent: HandMadeAgent, plainBytes: number): Promise<HandMadeBackup> {
  const { workspaceId, databaseId, backupId, fence, backupType } = payload.location;
  const context = { workspace: workspaceId, database: databaseId, backupId, chainId: payload.chainId };
  const dek = dekOfChain(payload.chainId);
  const encrypted = (object: string, volume: number, plain: Buffer): Buffer =>
    encryptBytes(plain, {
      key: dek,
      associatedData: associatedData({
        format: FORMAT,
        workspace: workspaceId,
        database: databaseId,
        backupId,
        object,
        volume,
        engine: 'postgresql',
        dumpFormat: 'plain',
        compression: payload.compression,
      }),
    });
  const plain = Buffer.alloc(plainBytes, 'a row of a dump\n');
  const data = encrypted('data-00001', 1, plain);
  const index = encrypted('index', 0, Buffer.from('no chunks'));
  const keysFile = await createKeysFile({
    dek,
    context,
    agents: [{ agentId: agent.id, sealPublicKey: agent.sealPublicKey }],
    ageRecipients: [payload.recoveryRecipient],
  });
  const body: ManifestBody = {
    format: 1,
    writer: 'hand-made',
    backupId,
    workspaceId,
    databaseId,
    fence,
    agentId: agent.id,
    engine: 'postgresql',
    dumpFormat: 'plain',
    serverVersion: '15.20',
    tool: 'pg_dump 15.20',
    type: backupType,
    chain: { id: payload.chainId, links: payload.base.map((location) => location.backupId) },
    compression: payload.compression,
    suite: 'AES256_GCM_HKDF_1MB',
    commitment: commitmentOf(dek, context),
    volumes: [recordOf('data-00001', plain.length, data)],
    index: recordOf('index', 9, index),
    dumpBytes: plain.length,
    startedAt: '2026-01-01T00:00:00.000Z',
    completedAt: '2026-01-01T00:00:01.000Z',
  };
  return {
    objects: new Map([
      ['data-00001', data],
      ['index', index],
    ]),
    keys: serializeKeysFile(keysFile),
    body,
    manifest: signAsAgent(body, agent.signPrivateKey),
  };
}

export const manifestContent = (manifest: Manifest): string => serializeManifest(manifest).toString('base64');
