import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { AddMemberDto, PersonView, UpdateWorkspaceDto, WorkspaceView } from '@rahatback/contracts';
import { assertRecipient } from '@rahatback/crypto';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { assertFreshLogin } from '../../platform/http/step-up.guard.js';
import { newId } from '../../platform/ids.js';
import { AuditTrail } from '../audit/index.js';
import { insertUser } from './accounts.service.js';
import { Membership } from './membership.entity.js';
import { assertStrongPassword } from './password-policy.js';
import { Passwords } from './passwords.service.js';
import { PeopleRepository } from './people.repository.js';
import { SecondFactorsRepository } from './second-factors.repository.js';
import { Workspace } from './workspace.entity.js';

const toWorkspaceView = (workspace: Workspace): WorkspaceView => ({
  id: workspace.id,
  name: workspace.name,
  recoveryRecipient: workspace.recoveryRecipient,
  requireTotp: workspace.requireTotp,
  createdAt: workspace.createdAt.toISOString(),
});

/** A workspace, its recovery key and its people. */
@Injectable()
export class WorkspaceService {
  constructor(
    private readonly database: Database,
    private readonly people: PeopleRepository,
    private readonly passwords: Passwords,
    private readonly audit: AuditTrail,
    private readonly factors: SecondFactorsRepository,
  ) {}

  read(actor: Actor): Promise<WorkspaceView> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) =>
      toWorkspaceView(await requireWorkspace(tx, actor.workspaceId)),
    );
  }

  /** The public half of the recovery key, null while there is none. */
  async recoveryRecipient(tx: Tx, workspaceId: string): Promise<string | null> {
    return (await requireWorkspace(tx, workspaceId)).recoveryRecipient;
  }

  /** @throws AppError STEP_UP_REQUIRED, TOTP_NOT_ENROLLED: who asks all for an authenticator must have one, or they were locked out first */
  update(actor: Actor, changes: UpdateWorkspaceDto): Promise<WorkspaceView> {
    if (typeof changes.requireTotp === 'boolean') assertFreshLogin(actor);
    if (typeof changes.recoveryRecipient === 'string') assertRecipient(changes.recoveryRecipient);
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      if (changes.requireTotp === true) await this.assertOwnTotp(tx, actor);
      const fields = Object.entries(changes).filter(([, value]) => ['string', 'boolean'].includes(typeof value));
      if (fields.length > 0) await tx.update(Workspace, { id: actor.workspaceId }, Object.fromEntries(fields));
      await this.audit.record(tx, {
        workspaceId: actor.workspaceId,
        actor,
        action: 'workspace.updated',
        targetType: 'workspace',
        targetId: actor.workspaceId,
        detail: { fields: fields.map(([name]) => name) },
      });
      return toWorkspaceView(await requireWorkspace(tx, actor.workspaceId));
    });
  }

  private async assertOwnTotp(tx: Tx, actor: Actor): Promise<void> {
    if ((await this.factors.find(tx, actor.userId))?.confirmedAt) return;
    throw new AppError('TOTP_NOT_ENROLLED', 'Set up an authenticator of your own before you ask everybody for one.');
  }

  members(actor: Actor): Promise<PersonView[]> {
    return this.database.inWorkspace(actor.workspaceId, (tx) => this.people.members(tx));
  }

  /** @throws AppError PASSWORD_WEAK, EMAIL_TAKEN: an address belongs to one person, and nobody is drawn into a workspace unasked. */
  async addMember(actor: Actor, request: AddMemberDto): Promise<PersonView> {
    assertStrongPassword(request.password, request);
    const passwordHash = await this.passwords.hash(request.password);
    const person: PersonView = {
      id: newId(),
      email: request.email,
      name: request.name,
      workspaceId: actor.workspaceId,
      role: request.role,
    };
    return this.database.asSystem('add member', async (tx) => {
      await insertUser(tx, { id: person.id, email: person.email, name: person.name, passwordHash });
      await tx.insert(Membership, { workspaceId: actor.workspaceId, userId: person.id, role: person.role });
      await this.audit.record(tx, {
        workspaceId: actor.workspaceId,
        actor,
        action: 'member.added',
        targetType: 'user',
        targetId: person.id,
        detail: { role: person.role },
      });
      return person;
    });
  }
}

async function requireWorkspace(tx: Tx, id: string): Promise<Workspace> {
  const workspace = await tx.findOneBy(Workspace, { id });
  if (!workspace) throw new AppError('NOT_FOUND', 'This workspace does not exist any more. Log in again.');
  return workspace;
}
