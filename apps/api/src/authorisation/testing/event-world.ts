import { randomUUID } from 'node:crypto';
import type { BackupLocation, CommandType, RegisterMessage, ReportBase } from '@rahatback/contracts';
import { AGENT_PROTOCOL } from '@rahatback/contracts';
import { ScriptedAgent } from '../../modules/agents/testing/scripted-agent.js';
import { DoorAgent } from '../../modules/backups/testing/backup-scene.js';
import { keyResource } from '../../modules/restore/restore.repository.js';
import type { Ids } from './world.js';
import { unknownIds, type World } from './world.js';

const WORKS = [
  'backup',
  'restore',
  'verification',
  'exported',
  'test',
  'preflight',
  'swap',
  'undo',
  'discard',
  'rewrap',
  'removal',
] as const;
type Work = (typeof WORKS)[number];

/** What frames are made of: one command of every type at work. */
export type Frames = Readonly<Record<Work, ReportBase>> & {
  readonly ids: Ids;
  readonly location: BackupLocation;
  readonly retired: string;
  readonly registration: RegisterMessage;
};

const REGISTRATION: Omit<RegisterMessage, 'agentId'> = {
  deviceName: 'box',
  platform: 'linux',
  version: '0.1.0',
  protocol: AGENT_PROTOCOL,
  tools: [],
  generation: 0,
  signature: Buffer.alloc(64).toString('base64'),
};

/** Commands that the world does not have yet, made from the swap's, which ran to its end. */
const MADE: readonly [Work, CommandType][] = [
  ['test', 'database:test'],
  ['preflight', 'restore:preflight'],
  ['undo', 'restore:undo'],
  ['discard', 'restore:discard'],
  ['rewrap', 'keys:rewrap'],
  ['removal', 'backup:delete'],
];

export async function framesOf({ scene, ids, credentials, commands }: World): Promise<Frames> {
  const { agent } = scene.base;
  const report = async (type: CommandType, resource = '%'): Promise<ReportBase> =>
    agent.report(await scene.newest(type, resource));
  const made: [Work, ReportBase][] = [];
  for (const [index, [work, type]] of MADE.entries()) {
    const [row] = await scene.sql(
      `INSERT INTO commands (id, workspace_id, agent_id, sequence, type, resource, fence, state, payload, expires_at)
       SELECT $1, workspace_id, agent_id, 1000 + $2::int, $3, CASE $3 WHEN 'keys:rewrap' THEN $5 ELSE resource END, fence, 'accepted',
              payload || jsonb_build_object('backup', $6::jsonb), now() + interval '1 hour'
       FROM commands WHERE agent_id = $4 AND type = 'restore:swap' RETURNING id, fence::int`,
      [randomUUID(), index, type, agent.id, keyResource(ids.restore), JSON.stringify(commands.verification.payload.backup)],
    );
    made.push([work, { commandId: String(row?.[0]), fence: Number(row?.[1]) }]);
  }
  return {
    ...(Object.fromEntries(made) as Record<Work, ReportBase>),
    backup: agent.report(commands.backup),
    verification: agent.report(commands.verification),
    restore: await report('restore:execute', `restore:${ids.database}/running_restore`),
    swap: await report('restore:swap', `swap:${ids.database}/%`),
    exported: await report('backup:export', `%${ids.backup}%`),
    ids,
    location: commands.verification.payload.backup,
    retired: credentials.retired,
    registration: { ...REGISTRATION, agentId: agent.id },
  };
}

/** The same frames of commands and objects that nobody has. */
export function nobodysFrames(frames: Frames): Frames {
  const ids = unknownIds();
  const works = WORKS.map((work) => [work, { commandId: randomUUID(), fence: frames[work].fence }]);
  return {
    ...frames,
    ...(Object.fromEntries(works) as Record<Work, ReportBase>),
    ids,
    location: { ...frames.location, backupId: ids.backup, workspaceId: randomUUID(), databaseId: ids.database },
    registration: { ...frames.registration, agentId: randomUUID() },
  };
}

/** The agent that a scene put into the table, on a real socket and registered. */
export async function connected({ api, scene }: World, door: DoorAgent): Promise<ScriptedAgent> {
  const agent = new ScriptedAgent(api.url, {
    enrolment: {
      agentId: door.id,
      workspaceId: scene.base.owner.workspaceId,
      serverId: '',
      commandPublicKey: '',
      commandKeyId: '',
      recoveryRecipient: null,
      fingerprint: '',
    },
    sign: door.signing,
    seal: door.sealing,
    generation: 0,
  });
  await agent.connect({ journal: false });
  return agent;
}

/** Another agent of the same workspace, with nothing to do. */
export async function sibling(world: World): Promise<ScriptedAgent> {
  const door = new DoorAgent(world.api, world.workspaceId);
  await world.scene.base.insertAgent(door);
  return connected(world, door);
}
